"""Every term by its name in params.yaml."""

from __future__ import annotations

from pipeline.users.terms.names import Term
from pipeline.users.terms.overlap import Overlap
from pipeline.users.terms.popularity import Popularity
from pipeline.users.terms.term import PairTerm
from pipeline.users.terms.together import Together

TERMS: dict[Term, type[PairTerm]] = {"overlap": Overlap, "together": Together, "popularity": Popularity}
