"""Two layers of graph attention over the item graph (method 4), trained to reconstruct its edges:

    alpha_ij = softmax_j( LeakyReLU( a^T [W p_i || W p_j] ) ),   p'_i = ||_k ELU( sum_j alpha_ij^k W^k p_j ), the second layer averaged

Takes P, (M, d_k), and the edges; gives P'', (M, d_k''). `network` is the model, `training` trains it; `layer` and `attention_sum`
compute it without a vector for each edge, and `link_reconstruction` its loss.
"""
