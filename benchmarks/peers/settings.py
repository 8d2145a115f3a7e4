"""What is compared: models, figures, and how long a model may train."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from pipeline.common.config import Config

FOLDER = Path(__file__).parent

# Cheapest first of those that teach most, so that an interrupted run leaves a useful table.
RECBOLE = ("LightGCN", "CFKG", "KGAT", "KGIN", "KGCN", "MKR", "BPR", "CKE", "RippleNet", "KTUP")
OURS = ("DKN", "K-NCR")  # our implementations, in models/
MODELS = RECBOLE + OURS

FIGURES = {
    "ctr": ("auc", "user_auc"),
    "impression": ("auc", "user_auc", "ndcg@5", "ndcg@10"),
    "reranking": ("ndcg@5", "f1@5"),
    "ranking": ("ndcg@5", "ndcg@10", "recall@10", "recall@20", "hit@10"),
}

EMBEDDING_SIZE = 64  # RecBole's default for all of them
# RippleNet gathers a size x size matrix for every triple of every pair of a batch; its paper has 16.
EMBEDDING_SIZES = {"RippleNet": 16}
CHOSEN_BY = "ranking.ndcg@10"  # on validation: epoch and learning rate
PATIENCE = 10  # validations without a better figure, RecBole's `stopping_step`
MAX_EPOCHS = 300
VALIDATED_USERS = 500  # a sample is enough to choose an epoch by, and keeps validation cheaper than training
# KTUP trains five epochs on likes and five on the graph in turn; a figure between its phases says little.
# KGCN and K-NCR score every pair by itself, so that validation costs more than an epoch.
EPOCHS_PER_VALIDATION = {"KTUP": 5, "KGCN": 2, "K-NCR": 2}


class Job(Config):
    """One model on one data set: all that its process is told."""

    model: str
    dataset: str
    atomic_files: str = Field(description="Folder of the exported data set")
    learning_rates: list[float]
    minutes: float = Field(gt=0, description="CPU minutes for training and validation, over all learning rates")
    seed: int
