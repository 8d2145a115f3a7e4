"""CRMMAN, a recommender that knows why: a folder for each step, in the order in which data flows.

`data` → `text` and `graph` → `structure` → `users` → `evaluation`, `explain`, `recommend`, `report`. `artifacts` holds what the
steps hand on, `parameters` the whole of params.yaml, `common` what all use. Nothing here knows a command line or DVC: the stages
are run by them, read what a folder needs, call it, and write what it gives.

The folders are layers: each imports those below it, as `[tool.importlinter]` in pyproject.toml lists them.
"""
