"""Ways to train the users: the pipeline's, and others that compute the same loss."""
