"""Terms: what each item of a history says of each candidate, whatever else is in the history.

    term_head(u, c) = n^(gamma - 1) sum_{j in history, j != c} w_head(j, c)

A view reads a history by item vectors, which have to be learned; a term reads it by what is known before: `overlap` in the
knowledge graph, how often two items were `together` in a history, and how `popular` they are. Each is a sum over the history, so that its
entries are contributions. To add one: its name in `names`, its class in `registry`.
"""
