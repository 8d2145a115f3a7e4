"""What stages share, so that `stages/` has stages alone: the command line and the declarations of a stage (`stage`), the splits (`data`),
what training needs (`training`), trained variants (`models`), evaluations (`tables`) and what the report shows of a variant (`showcase`),
as stages read and write them.
"""
