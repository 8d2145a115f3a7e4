"""A knowledge graph as RDF: N-Triples, Turtle or RDF/XML. RDFLib reads them, which the extra `rdf` installs.

- An entity or a relation is called by its IRI. A relative one is taken to be below ``file:///``.
- A literal is a fact by its value, whatever its type. Of values of one subject and relation that have a language, those in English are
  taken, or else those in the first language by its code; the others say the same.
- Blank nodes are entities, ``_:1`` and so on in the order in which the file has them: they have no name that another file could use.
- What an entity is called is a triple as others are, mostly of rdfs:label: `pipeline.graph.paths` finds names by it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import polars as pl

from pipeline.common.errors import InputError, shortened
from pipeline.data.sources.tidy import KG, RawTable

FORMATS = {".nt": "nt", ".ttl": "turtle", ".rdf": "xml", ".xml": "xml"}
CALLED = {"nt": "N-Triples", "turtle": "Turtle", "xml": "RDF/XML"}
BASE = "file:///"
ENGLISH = "en"


def read_rdf(content: bytes, file: str, ending: str) -> RawTable:
    """Triples as head, relation, tail.

    Args:
        ending: one of `FORMATS`.

    Raises:
        InputError: RDFLib is not installed, or cannot read the file.
    """
    try:
        import rdflib
    except ModuleNotFoundError:
        raise InputError(f"{file}: found RDF, which needs RDFLib; install it: pip install 'rdflib>=7,<8'") from None

    names: dict[str, str] = {}
    rows: list[tuple[str, str, str, str | None]] = []

    def called(term: Any) -> str:
        return names.setdefault(str(term), f"_:{len(names) + 1}") if isinstance(term, rdflib.BNode) else str(term)

    class Rows(rdflib.Graph):
        """Keeps the order of the file, which a graph does not."""

        def add(self, triple: Any) -> Rows:
            head, relation, tail = triple
            rows.append((called(head), str(relation), called(tail), getattr(tail, "language", None)))
            return self

    kind = FORMATS[ending]
    try:
        with _without_a_word():
            Rows().parse(data=content, format=kind, publicID=BASE)
    except MemoryError:
        raise
    # Each of its parsers has errors of its own.
    except Exception as error:
        raise InputError(
            f"{file}: not readable as {CALLED[kind]}: {shortened(' '.join(str(error).split()), 200)}"
        ) from None
    frame = pl.DataFrame(rows, schema=dict.fromkeys((*KG, "language"), pl.String), orient="row")
    return RawTable(_in_one_language(frame).select(KG), file, first_row=1)


@contextmanager
def _without_a_word() -> Iterator[None]:
    """RDFLib logs literals that are not what their type says, with a traceback each: they are values all the same."""
    logger = logging.getLogger("rdflib.term")
    before = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before


def _in_one_language(frame: pl.DataFrame) -> pl.DataFrame:
    language = pl.col("language").str.to_lowercase()
    is_english = (language == ENGLISH) | language.str.starts_with(f"{ENGLISH}-")
    # A key that sorts English first.
    place = pl.when(is_english).then(pl.lit("")).otherwise(language)
    chosen = place.min().over("head", "relation")
    return frame.filter(pl.col("language").is_null() | (place == chosen))
