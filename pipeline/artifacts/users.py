"""What `train_users` writes of each variant, and `refit` of those that are trained once more on all ratings."""

from __future__ import annotations

from pipeline.artifacts.kinds import Curve, Tensors

# train_users: of each variant. Told: the settings that it was trained by; and `curve`, as pairs of column and values.
MODEL = Tensors("artifacts/{dataset}/users/{variant}/model.safetensors", told=("variant", "best_epoch"), traced=True)
USERS_CURVE = Curve(
    "plots/{dataset}/train_users/{variant}.tsv",
    ("epoch", "loss", "ctr_user_auc", "impression_ndcg@10", "ranking_ndcg@10"),
)

# refit
REFIT = Tensors("artifacts/{dataset}/users/{variant}/refit.safetensors", told=("variant", "best_epoch"))
