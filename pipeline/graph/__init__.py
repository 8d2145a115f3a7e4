"""From the knowledge graph to the item graph (method 2): E = { {i, j} : |N_i ∩ N_j| > S_m }.

Takes triples and the links of items to entities; gives the edges with their overlaps, the neighbours N_i of every item, and the table of
thresholds by which one chooses S_m. `link_check` doubts the links, `paths` says what two items share, `rewiring` makes a
random graph to compare with.
"""
