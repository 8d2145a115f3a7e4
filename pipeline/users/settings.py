"""The settings of a model variant: switches over one code path, from the method as written to the recommended model."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from pipeline.common.config import Config
from pipeline.evaluation.metrics.validation import FIGURES
from pipeline.users.modalities.names import ALL_GIVEN, IMAGE, Modality
from pipeline.users.names import Alignment, Fusion, Head, Views
from pipeline.users.terms.names import Term
from pipeline.users.views.names import Attention
from pipeline.users.widths import check_average, check_heads

if TYPE_CHECKING:
    Figure = str
else:
    Figure = Literal[tuple(FIGURES)]

# Items from which on a catalogue is a large one: fitting EASE's weights would take gigabytes.
LARGE_CATALOGUE = 8_000
SAMPLED_OF_LARGE = 1_000
# Where terms know before what vectors would have to learn from few ratings, wider vectors learn the ratings by heart.
WIDTH_BESIDE_TERMS = 64


class VariantConfig(Config):
    """Every setting has a default, that of the method as written: a model that was stored before a setting came is still read."""

    modalities: Annotated[list[Modality], Field(min_length=1)] = Field(
        default=["text", "structure"],
        description="What the model knows of an item: `text`, `structure`, `id`, `entities` (learned vectors of the graph's entities "
        "around the item), `image`, or a name from `source.vectors`; `vectors` stands for all of those. Modalities that "
        "a data set lacks are left out",
    )
    structure: Literal["gat", "initial"] = Field(
        default="gat", description="Which structural vector: p'' of the GAT, or P, the initial one"
    )
    structure_source: str = Field(
        default="",
        pattern=r"^[\w-]*$",
        description="A name from `structures`, for structural vectors made in another way; empty: the usual ones",
    )
    finetune_gat: bool = Field(
        default=False, description="Keep training the GAT together with the users' model instead of taking p'' as it is"
    )
    fusion: Fusion = Field(
        default="concat",
        description="concat: s || p''; average: (s + p'')/2, which needs equal widths; linear: concat, then a linear layer; gated: "
        "linear, with a weight for each modality of each item",
    )
    width: int = Field(
        default=64,
        ge=1,
        le=4096,
        description="Width d_h of the projected text vector (concat, average), or of the item vector (linear, gated)",
    )
    alignment: Alignment = Field(
        default="pairs",
        description="The form of the loss that pulls the modalities of an item together (see alignment_weight). pairs: find the "
        "item, among those of the step, that a vector of another modality belongs to; queue: the same among these and "
        "items of earlier steps; codebook: find which of the prototypes, shared by all modalities, it is assigned to",
    )
    alignment_weight: float = Field(
        default=0.0, ge=0, le=100, description="Weight of the alignment loss; 0: no alignment"
    )
    alignment_temperature: float = Field(
        default=0.1, gt=0, le=10, description="Temperature of the cosines in the alignment loss"
    )
    alignment_items: int = Field(
        default=256,
        ge=2,
        le=100_000,
        description="Items aligned in each step, drawn uniformly; fewer if there are not that many",
    )
    alignment_queue: int = Field(
        default=1024, ge=1, le=1_000_000, description="For `queue`: how many items of earlier steps are kept"
    )
    alignment_momentum: float = Field(
        default=0.99,
        ge=0,
        lt=1,
        description="For `queue`: the share of their old value that the weights which make its keys keep in each step",
    )
    alignment_prototypes: int = Field(default=64, ge=2, le=100_000, description="For `codebook`: number of prototypes")
    views: Views = Field(
        default="both",
        description="both: likes and dislikes in separate views; likes: likes only; merged: one view of everything rated",
    )
    attention: Attention = Field(
        default="self",
        description="none: a plain sum; self: between the items of a history; candidate: from each candidate to the history",
    )
    attention_heads: int = Field(
        default=4, ge=1, le=64, description="Attention heads of each view; must divide the item vector's width"
    )
    pooling_exponent: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="A history of n items counts as n^exponent times its mean; 0: the mean itself",
    )
    learn_exponent: bool = Field(default=False, description="Learn the exponent, starting from pooling_exponent")
    heads: Annotated[list[Head], Field(min_length=1)] = Field(
        default=["click"],
        description="Either click alone, or some of like (liked, out of all items), meet (rated, out of all items) and judge (liked, "
        "out of those rated)",
    )
    co_rating_l2: float = Field(
        default=0.0,
        ge=0,
        description="Penalty on EASE's item-to-item weights, whose scores are added to those of the heads when all items are ranked; "
        "limited to 7 times the mean number of ratings per item. 0: no such weights. There are none beyond 8,000 items "
        "either, unless there are terms",
    )
    co_rating_graph: float = Field(
        default=0.0,
        ge=0,
        le=1000,
        description="Weight of the graph's entities around items, which the item-to-item weights must also explain; 0: ratings only",
    )
    co_rating_share: float = Field(
        default=8.0, ge=0, le=1000, description="Weight of the item-to-item scores relative to the heads"
    )
    judge_share: float = Field(
        default=0.4,
        ge=0,
        le=10,
        description="Weight of judge relative to meet when all items are ranked; ignored with click or like",
    )
    ranking_share: float = Field(
        default=0.0, ge=0, le=10, description="Weight of meet, or like, relative to judge when rated items are ranked"
    )
    find_shares: bool = Field(
        default=False,
        description="After the epoch is chosen, find the values of co_rating_share, judge_share and ranking_share that give the best "
        "validation figures; judge_share and ranking_share stay as they are if the data has no dislikes",
    )
    terms: list[Term] = Field(
        default=[],
        description="What a view reads from a history besides the item vectors: overlap with the candidate in the knowledge graph, "
        "how often items occur together in histories, and the popularity of both",
    )
    count_biases: bool = Field(
        default=False,
        description="Needs biases. true: an item's biases are a learned function of its counts and of those around it in the graph, "
        "excluding the rating that is predicted; false: they are free parameters",
    )
    sparse_up_to: float = Field(
        default=30.0,
        ge=0,
        description="Terms, count_biases and `targets: left_out` are used up to this many training ratings per user on average, and "
        "vectors beside terms are at most 64 wide. With more ratings, free parameters learn the same and train faster",
    )
    biases: bool = Field(default=False, description="A bias for each item in each head, and for each user in `judge`")
    negatives: Literal["disliked", "unseen", "mixed", "all"] = Field(
        default="all", description="What likes are compared with in training; all: softmax over the whole catalogue"
    )
    catalogue_sample: int = Field(
        default=0,
        ge=0,
        description="For the softmax of `negatives: all`. 0: over all items, but over a sample of 1,000 if there are more than 8,000 "
        "items (2,000 with terms). Otherwise over about this many items, drawn by popularity in each step and weighted "
        "so that their sum equals the sum over all items on average",
    )
    negatives_per_like: int = Field(
        default=50, ge=1, le=10_000, description="R, the negatives for each like; not used by `all`"
    )
    disliked_share: float = Field(
        default=0.2, ge=0, le=1, description="For `mixed`: the share of negatives that come from the user's dislikes"
    )
    leave_one_out: bool = Field(
        default=True, description="Score an item of the history by the history without that item"
    )
    targets: Literal["all", "left_out"] = Field(
        default="all",
        description="With history_dropout. all: every rating of a user is a target, scored without itself; left_out: only the "
        "ratings that the step drops from the history, so that a target and its negatives are scored by the same history",
    )
    history_dropout: bool = Field(
        default=False,
        description="In each step, keep a random share (0 to 1) of each user's history; `targets` says which ratings are predicted",
    )
    dropout: float = Field(default=0.2, ge=0, lt=1, description="Dropout on item vectors")
    modality_dropout: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="In each step, hide each modality for this share of the items, drawn separately for each modality; every item "
        "keeps at least one. The model thus learns to do without",
    )
    max_history: int = Field(
        default=200, ge=2, description="Longer histories are cut to a new random sample in every training step"
    )
    max_targets: int = Field(
        default=200,
        ge=1,
        description="Users with more ratings than this have a random sample of about this many as targets",
    )
    damping: float = Field(
        default=0.0,
        ge=0,
        description="For the learned vectors of ids and entities: the vector of one with n ratings is multiplied by n / (n + "
        "damping), so that what few people rated is known mostly by its other modalities; 0: no damping",
    )
    learning_rate: float = Field(
        default=0.002,
        gt=0,
        le=1,
        description="Highest learning rate of AdamW: one epoch of warm-up, then a linear fall to a tenth of it",
    )
    weight_decay: float = Field(default=0.0, ge=0, le=1, description="Weight decay of AdamW")
    batch_users: int = Field(default=256, ge=1, description="Users per step; small batches overfit")
    epochs: int = Field(
        default=60, ge=1, description="At most this many epochs; the learning rate falls linearly over them"
    )
    validate_every: int = Field(default=1, ge=1, description="Evaluate on the validation split every this many epochs")
    patience: int = Field(
        default=10, ge=1, description="Stop after this many epochs without a better validation figure"
    )
    training_seed: int = Field(
        default=0, ge=0, lt=1000, description="Change it for another training run on the same split and structure"
    )
    early_stopping_by: Annotated[list[Figure], Field(min_length=1)] = Field(
        default=["ranking.ndcg@10"], description="Validation figures whose sum chooses the epoch"
    )

    def item_width(self, structural: int) -> int:
        """d, the width of the item vectors.

        Args:
            structural: width of the structural vectors, which concatenation takes as they are.
        """
        if self.fusion != "concat":
            return self.width
        return sum(structural if name == "structure" else self.width for name in self.modalities)

    @property
    def knows(self) -> bool:
        """Whether the model reads counts and the graph's relations (`Knowledge`)."""
        return bool(self.terms) or self.count_biases

    def with_given(self, given: Collection[str]) -> VariantConfig:
        """The model with the names of a data set's own vectors in place of `vectors`, and without `image` where there are no images.

        Args:
            given: modalities whose vectors were there before, of the data set: its own vectors, and `image` if it has any.
        """
        own = [name for name in given if name != IMAGE]
        named = [each for name in self.modalities for each in (own if name == ALL_GIVEN else [name])]
        found = [name for name in dict.fromkeys(named) if name != IMAGE or IMAGE in given]
        return self if found == self.modalities else self.model_copy(update={"modalities": found})

    def for_data(
        self,
        items: int,
        dislikes: int,
        ratings_per_user: float,
        judged: int,
        *,
        texts: bool = True,
        graph: bool = True,
        given: Collection[str] = (),
    ) -> VariantConfig:
        """The model for a data set, which may be too large for a setting, or have nothing that one reads.

        Without dislikes likes are the one view, and `like` is asked in place of `meet`; `judge`, where it is asked, tells likes from
        items drawn of all that a user did not rate. For a large catalogue there are item-to-item weights of EASE beside terms
        alone, and the softmax is over a sample of the items. Where users have many ratings, vectors and biases of an item learn what
        terms and counts know before; where they have few, vectors beside terms are narrow. What would read texts or a graph where there
        are none is left out; where no modality is left items are known by `id`. Of one modality alone nothing is aligned or hidden, and
        without `structure` no GAT is trained on. So an ablation may be without what its variant has been changed to do.

        Args:
            items: of the data set.
            dislikes: in its training split.
            ratings_per_user: mean, likewise.
            judged: users with a like in validation and what it is told from; 0: no `impression` figure can be made.
            texts, graph: whether any item has a text, and any an entity around it.
            given: as of `with_given`.
        """
        changes: dict[str, object] = {} if graph else {"co_rating_graph": 0.0}
        there = {"id", *given, *(["text"] if texts else []), *(["structure", "entities"] if graph else [])}
        modalities = [name for name in self.with_given(given).modalities if name in there] or ["id"]
        if modalities != self.modalities:
            changes |= {"modalities": modalities}
        if "structure" not in modalities:
            changes |= {"structure_source": "", "finetune_gat": False}
        if len(modalities) == 1:
            changes |= {"alignment": "pairs", "alignment_weight": 0.0, "modality_dropout": 0.0}
        if ratings_per_user > self.sparse_up_to:
            changes |= {"terms": [], "count_biases": False, "targets": "all"}
        else:
            changes["terms"] = [name for name in self.terms if graph or name != "overlap"]
        if changes["terms"] and self.attention == "none":
            changes["width"] = min(self.width, WIDTH_BESIDE_TERMS)
        if not dislikes:
            changes["views"] = "likes"
            if self.heads != ["click"]:
                changes["heads"] = ["like", "judge"] if "judge" in self.heads else ["like"]
        if not judged:
            figures = [name for name in self.early_stopping_by if not name.startswith("impression.")]
            changes["early_stopping_by"] = figures or ["ranking.ndcg@10"]
        knowing = self.knows and ratings_per_user <= self.sparse_up_to
        # Where vectors alone would do they can be searched by an index; beside terms nothing is lost.
        if items > LARGE_CATALOGUE and not (self.terms and ratings_per_user <= self.sparse_up_to):
            changes["co_rating_l2"] = 0.0
        # Terms cost the most of a step, and theirs is a cost of every candidate.
        large = items > (2 * SAMPLED_OF_LARGE if knowing else LARGE_CATALOGUE)
        if large and self.negatives == "all" and not self.catalogue_sample:
            changes["catalogue_sample"] = SAMPLED_OF_LARGE
        return self.model_copy(update=changes)

    def check_widths(self, structural: int) -> None:
        """Whether the item vectors that these settings make fit them.

        Args:
            structural: width of the structural vectors.

        Raises:
            InputError: they do not.
        """
        if "structure" in self.modalities and self.fusion == "average":
            check_average(self.width, structural)
        if self.attention != "none":
            check_heads(self.attention_heads, self.item_width(structural))

    @model_validator(mode="after")
    def _switches_fit(self) -> VariantConfig:
        for name in ("modalities", "heads", "terms", "early_stopping_by"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                raise ValueError(f"{name}: found {values}, expected each at most once")
        if "click" in self.heads and len(self.heads) > 1:
            raise ValueError(f"heads: found {self.heads}, expected click alone or some of like, meet, judge")
        if self.heads == ["judge"]:
            raise ValueError("heads: found judge alone, expected like or meet as well: judge cannot rank a catalogue")
        if "click" not in self.heads and self.negatives != "all":
            raise ValueError(f"negatives: found {self.negatives}, expected all: like and meet are asked of all items")
        if self.catalogue_sample and self.negatives != "all":
            raise ValueError(
                f"catalogue_sample: found {self.catalogue_sample} with negatives {self.negatives}, expected 0: only all is sampled"
            )
        if self.targets == "left_out" and not self.history_dropout:
            raise ValueError("targets: found left_out without history_dropout, so nothing is left out; expected all")
        if self.count_biases and not self.biases:
            raise ValueError("count_biases: found true without biases, expected biases: true")
        if self.patience < self.validate_every:
            raise ValueError(
                f"patience: found {self.patience}, expected at least validate_every, {self.validate_every}: "
                "training would stop before its first look at the validation split"
            )
        if self.alignment != "pairs" and not self.alignment_weight:
            raise ValueError(
                f"alignment: found {self.alignment} with alignment_weight 0, which aligns nothing; expected a weight above 0"
            )
        if self.alignment_weight and self.fusion == "concat":
            raise ValueError(
                f"alignment_weight: found {self.alignment_weight:g} with fusion concat, expected average, linear or gated: "
                "aligned vectors must be equally wide"
            )
        if self.finetune_gat and self.structure != "gat":
            raise ValueError(f"finetune_gat: found true with structure: {self.structure}, expected structure: gat")
        if self.attention != "none" and self.fusion != "concat":
            check_heads(self.attention_heads, self.width)
        return self
