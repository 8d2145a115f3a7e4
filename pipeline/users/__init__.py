"""From item vectors to a score of every item for every user (method 5 to 8):

    r = s || p'',   u = mean over the rows of self-attention over a history,   click(u, c) = w1 r_c^T u+ + w2 r_c^T u-

Takes text and structural vectors and the splits, gives a `Model`: item vectors, (M, d), and a scorer that needs nothing of a person
but what they like and dislike. `modalities` and `fusion` make r, `views` make u, `scorer` adds them up, `training` learns all of
it, `trained` is the model as evaluation sees it, `people` and `coordinates` score by it.
"""
