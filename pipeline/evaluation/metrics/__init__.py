"""Figures of a `ScoredSplit`: a module for each formula, what kinds there are, and the registry that lists them all."""
