"""What to recommend, to whom, and what is like it.

Takes a model and people; gives for each the items with the highest `preference` that they have not rated, with reasons, vectors whose
inner products are the scores, items similar to an item, and items found by their title.
"""
