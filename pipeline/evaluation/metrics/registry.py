"""Every metric: an entry of `METRICS`, in the order in which tables show them.

A new one is a function in a module of its own and a line here. Training does not run again for it: what validates a model while it is
trained, `validation`, knows nothing of this list.
"""

from __future__ import annotations

from functools import partial

from pipeline.evaluation.metrics.auc import pooled_auc, user_auc
from pipeline.evaluation.metrics.beyond_accuracy import gini, novelty
from pipeline.evaluation.metrics.hit import hit
from pipeline.evaluation.metrics.kinds import ByPairs, ByRanks, Metric, OfCatalogue, OfLists, PerUserMetric, Pooled
from pipeline.evaluation.metrics.ndcg import ndcg
from pipeline.evaluation.metrics.recall import recall
from pipeline.evaluation.metrics.reciprocal_rank import reciprocal_rank
from pipeline.evaluation.metrics.reranking import reranked_f1, reranked_ndcg
from pipeline.evaluation.metrics.threshold import accuracy, f1

TEXT_DIVERSITY, GRAPH_DIVERSITY = "text_diversity@10", "graph_diversity@10"
METRICS: tuple[Metric, ...] = (
    Pooled("ctr", "auc", pooled_auc),
    ByPairs("ctr", "user_auc", user_auc),
    Pooled("ctr", "accuracy", accuracy, needs_threshold=True, tested=False),
    Pooled("ctr", "f1", f1, needs_threshold=True, tested=False),
    Pooled("impression", "auc", pooled_auc),
    ByPairs("impression", "user_auc", user_auc),
    Pooled("impression", "accuracy", accuracy, needs_threshold=True, tested=False),
    Pooled("impression", "f1", f1, needs_threshold=True, tested=False),
    ByRanks("impression", "mrr", reciprocal_rank),
    ByRanks("impression", "ndcg@5", partial(ndcg, k=5)),
    ByRanks("impression", "ndcg@10", partial(ndcg, k=10)),
    ByPairs("reranking", "ndcg@5", partial(reranked_ndcg, k=5)),
    ByPairs("reranking", "f1@5", partial(reranked_f1, k=5)),
    ByRanks("ranking", "ndcg@5", partial(ndcg, k=5)),
    ByRanks("ranking", "ndcg@10", partial(ndcg, k=10)),
    ByRanks("ranking", "recall@10", partial(recall, k=10)),
    ByRanks("ranking", "recall@20", partial(recall, k=20)),
    ByRanks("ranking", "hit@10", partial(hit, k=10)),
    OfCatalogue("ranking", "coverage@10", lambda scored, _: scored.coverage),
    OfCatalogue("ranking", "gini@10", gini),
    OfCatalogue("ranking", "novelty@10", novelty),
    OfLists("ranking", TEXT_DIVERSITY),
    OfLists("ranking", GRAPH_DIVERSITY),
)
PER_USER: tuple[PerUserMetric, ...] = tuple(metric for metric in METRICS if isinstance(metric, PerUserMetric))
POOLED: tuple[Pooled, ...] = tuple(metric for metric in METRICS if isinstance(metric, Pooled))
OF_CATALOGUE: tuple[OfCatalogue, ...] = tuple(metric for metric in METRICS if isinstance(metric, OfCatalogue))
OF_LISTS: tuple[OfLists, ...] = tuple(metric for metric in METRICS if isinstance(metric, OfLists))
PROTOCOLS = tuple(dict.fromkeys(metric.protocol for metric in METRICS))


def names_of(protocol: str) -> list[str]:
    """The protocol's metrics, in the order of the tables."""
    return [metric.name for metric in METRICS if metric.protocol == protocol]


def compared_in(protocol: str) -> list[str]:
    """Those of its metrics by which systems are compared: only such a column of a table bears marks."""
    tested = [*PER_USER, *(metric for metric in POOLED if metric.tested)]
    return [name for name in names_of(protocol) if any((m.protocol, m.name) == (protocol, name) for m in tested)]
