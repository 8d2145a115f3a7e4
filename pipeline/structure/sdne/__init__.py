"""SDNE, an autoencoder over the rows of the adjacency matrix (method 3):

    sum_i || (x^_i - x_i) * b_i ||^2  +  alpha sum_{(i,j) in E} || y_i - y_j ||^2  +  nu / 2 sum || W ||^2

Takes a sparse adjacency matrix, (M, M), and gives the codes y, (M, d_k). `estimator` is the model; a step looks at `whole_rows` or at
`sampled_columns` of them.
"""
