"""The splits' names, in their order."""

SPLITS = ("train", "valid", "test")
