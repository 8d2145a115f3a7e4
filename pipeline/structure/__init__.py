"""The structural vector of an item: P by SDNE over the item graph (method 3), P'' by graph attention over both (method 4).

Takes the item graph, gives a vector for each item, (M, d_k) and then (M, d_k''), with figures that tell good vectors from collapsed ones.
`embed` picks SDNE or an embedding of karateclub (`karateclub_methods`) for P; `sdne` and `gat` are the two models.
"""
