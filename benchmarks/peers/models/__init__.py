"""Peers that no library at hand has, written from their papers in plain PyTorch: our implementation, not their authors'."""
