"""CRMMAN, a recommender that knows why: a folder for each step, in the order in which data flows.

`data` → `text` and `graph` → `structure` → `users` → `evaluation`, `explain`, `recommend`, `report`. `artifacts` holds what the
steps hand on, `parameters` the whole of params.yaml, `common` what all use. Nothing here reads a file or prints: the stages
do, each of which calls one of these folders.

The folders are layers: each imports those below it, as `[tool.importlinter]` in pyproject.toml lists them.
"""
