"""From somebody's tables to what models train on (the evaluation's rules: likes, filters, splits, sampled candidates).

`sources` read a data set in whatever form it comes and give four tidy tables; `prepare` makes likes and dislikes of ratings, leaves
out, numbers and splits; `dataset` gives the splits as arrays and sparse matrices, users x items, to all that comes after.
"""
