"""The semantic vector of an item (method 1): t'_1, the state of a frozen BERT at [CLS], H = BERT(TE + PE + SE).

Takes items with their columns and a template, gives a vector for each item, (M, d_e), and zeros where an item has no text. The projection
s = W t'_1 + b is trained with the users.
"""
