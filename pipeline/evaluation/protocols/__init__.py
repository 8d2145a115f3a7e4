"""The protocols: which candidates a system is asked about, and where its answers put what the user likes.

Takes a `Scorer` and a data set, gives a `ScoredSplit`: scored pairs for `ctr` and `impression`, and for `ranking` the places of likes in
the catalogue, ties without favour. Training validates by it, so nothing here knows which metrics there are.
"""
