"""What a page is given of a model gives the model's own scores and reasons, by the formula alone."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from pipeline.explain.contributions import contributions_of
from pipeline.report import browser_model
from pipeline.report.browser_model import BrowserModel, fold, for_page
from pipeline.users.people import Person, preference_of
from tests.report.world import CONFIGS, ITEMS, WIDTH, model

PLAYABLE = [name for name in CONFIGS if name != "attentive"]
people = st.lists(st.integers(0, ITEMS - 1), unique=True, max_size=12).flatmap(
    lambda rated: st.integers(0, len(rated)).map(lambda likes: (rated[:likes], rated[likes:]))
)


def part(folded: BrowserModel, likes: list[int], dislikes: list[int], cause: int, candidate: int) -> dict[str, float]:
    """What item j adds by each part, in double and term by term."""
    arrays = {name: array.astype(float) for name, array in folded.arrays.items()}
    total: dict[str, float] = {}
    for view in ("likes", "dislikes", "rated"):
        read = {"likes": likes, "dislikes": dislikes, "rated": likes + dislikes}[view]
        if cause not in read or view not in folded.exponents:
            continue

        def counted(name: str, length: int = len(read)) -> float:
            return length ** (folded.exponents[name] - 1)

        vectors, pull = arrays["items"], arrays[f"pull.{view}"]
        total["vectors"] = counted(view) * sum(
            vectors[cause, row] * pull[row, column] * vectors[candidate, column]
            for row in range(WIDTH)
            for column in range(WIDTH)
        )
        if f"co_rating.{view}" in folded.weights:
            total["co_rating"] = folded.weights[f"co_rating.{view}"] * entry(arrays, "co_rating", cause, candidate)
        if f"{view}.overlap" in folded.exponents:
            weights = arrays[f"overlap.{view}"]
            total["overlap"] = counted(f"{view}.overlap") * sum(
                weights[int(relation)]
                * entry(arrays, "around", cause, column)
                * entry(arrays, "around", candidate, column)
                for column, relation in enumerate(arrays["around.relation"])
            )
        if f"{view}.together" in folded.exponents:
            ratings = arrays[f"ratings.{view}"]
            both = entry(arrays, f"together.{view}", cause, candidate)
            if both:
                cosine = both / math.sqrt(ratings[cause] * ratings[candidate])
                total["together"] = counted(f"{view}.together") * folded.weights[f"together.{view}"] * cosine
        if f"{view}.popularity" in folded.exponents:
            features = arrays["features"]
            total["popularity"] = counted(f"{view}.popularity") * float(
                features[candidate] @ arrays[f"popularity.{view}"] @ features[cause]
            )
    return total


def entry(arrays: dict[str, np.ndarray[Any, Any]], name: str, row: int, column: int) -> float:
    if name in arrays:
        return float(arrays[name][row, column])
    first, last = (int(arrays[f"{name}.start"][place]) for place in (row, row + 1))
    found = [place for place in range(first, last) if arrays[f"{name}.column"][place] == column]
    return float(arrays[f"{name}.value"][found[0]]) if found else 0.0


@pytest.mark.parametrize("name", PLAYABLE)
@settings(max_examples=15, deadline=None)
@given(person=people, candidate=st.integers(0, ITEMS - 1))
def test_scores_and_reasons_by_the_formula_are_those_of_the_model(
    name: str, person: tuple[list[int], list[int]], candidate: int
) -> None:
    likes, dislikes = ([item for item in rated if item != candidate] for rated in person)
    somebody = Person(*(np.array(rated, dtype=np.int64) for rated in (likes, dislikes)))
    folded = fold(model(name))
    parts = {cause: part(folded, likes, dislikes, cause, candidate) for cause in likes + dislikes}
    score = sum(sum(mine.values()) for mine in parts.values()) + float(folded.arrays["biases"][candidate])
    assert score == pytest.approx(float(preference_of(model(name), [somebody])[0, candidate]), abs=1e-3)
    found = contributions_of(model(name), somebody, np.array([candidate]))
    for items, expected in ((likes, found.parts_of_likes), (dislikes, found.parts_of_dislikes)):
        for by, values in expected.items():
            assert [parts[item].get(by, 0.0) for item in items] == pytest.approx(values[0].tolist(), abs=1e-3)


def test_weights_that_are_mostly_zero_are_sparse() -> None:
    whole = model("together").co_rating
    assert whole is not None
    weights = torch.where(torch.rand(ITEMS, ITEMS, generator=torch.Generator().manual_seed(2)) < 0.2, whole, 0.0)
    folded = fold(replace(model("together"), co_rating=weights))
    arrays = {name: array.astype(float) for name, array in folded.arrays.items()}
    assert "co_rating" not in arrays
    found = [[entry(arrays, "co_rating", row, column) for column in range(ITEMS)] for row in range(ITEMS)]
    np.testing.assert_array_equal(np.array(found), weights.numpy().astype(np.float16))
    # Those of a large catalogue are sparse as they are.
    of_large = fold(replace(model("together"), co_rating=csr_matrix(weights.numpy()))).arrays
    assert of_large.keys() == folded.arrays.keys()
    for name, array in folded.arrays.items():
        np.testing.assert_array_equal(of_large[name], array)


def test_a_model_with_attention_is_refused() -> None:
    assert for_page(model("attentive")) == "its views use attention"


@pytest.mark.parametrize("name", ["plain", "together", "terms"])
def test_a_model_is_refused_by_what_it_would_take_of_the_page(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = for_page(model(name))
    assert isinstance(found, BrowserModel)
    monkeypatch.setattr(browser_model, "BYTES_AT_MOST", found.size)
    assert isinstance(for_page(model(name)), BrowserModel)
    # What is too large is not even made.
    for room, made in ((found.size - 1, True), (ITEMS * WIDTH * 4, False)):
        monkeypatch.setattr(browser_model, "BYTES_AT_MOST", room)
        if not made:
            monkeypatch.delattr(browser_model, "fold")
        assert re.fullmatch(r"it takes \d+ MB of the page, which has room for \d+ MB", str(for_page(model(name))))
