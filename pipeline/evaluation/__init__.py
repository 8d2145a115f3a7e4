"""How good a system is, and how sure one can be of it.

| folder | what it holds | imports |
|---|---|---|
| `protocols` | candidates and places, by protocol | nothing of the others |
| `metrics` | figures of a split, by the registry | `protocols` |
| `baselines` | simple systems, tuned on validation | `metrics` |
| `systems` | one system's tables on the test split | `metrics` |
| `comparison` | intervals, differences, tables | `systems` |

Training needs `protocols` and `metrics.validation`, and none of the rest.
"""
