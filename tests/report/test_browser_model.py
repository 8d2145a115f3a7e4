"""What a page is given of a model gives the model's own scores and reasons, by the formula alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.explain.contributions import contributions_of
from pipeline.report import browser_model
from pipeline.report.browser_model import BrowserModel, fold, why_not
from pipeline.users.model import build_scorer
from pipeline.users.people import Person, preference_of
from tests.report.world import CONFIGS, ITEMS, WIDTH, data, model
from tests.users.knowing import known

PLAYABLE = [name for name in CONFIGS if name != "attentive"]
people = st.lists(st.integers(0, ITEMS - 1), unique=True, max_size=12).flatmap(
    lambda rated: st.integers(0, len(rated)).map(lambda likes: (rated[:likes], rated[likes:]))
)


def part(folded: BrowserModel, likes: list[int], dislikes: list[int], cause: int, candidate: int) -> float:
    """n^(gamma - 1) r_j^T K r_c + v B_jc over the views that read item j, term by term."""
    total = 0.0
    for view, exponent in folded.exponents.items():
        read = {"likes": likes, "dislikes": dislikes, "rated": likes + dislikes}[view]
        if cause not in read:
            continue
        vectors, pull = folded.arrays["items"].astype(float), folded.arrays[f"pull.{view}"].astype(float)
        for row in range(WIDTH):
            for column in range(WIDTH):
                total += (
                    len(read) ** (exponent - 1) * vectors[cause, row] * pull[row, column] * vectors[candidate, column]
                )
        if f"together.{view}" in folded.arrays:
            total += float(folded.arrays[f"together.{view}"][cause, candidate])
    return total


@pytest.mark.parametrize("name", PLAYABLE)
@settings(max_examples=15, deadline=None)
@given(person=people, candidate=st.integers(0, ITEMS - 1))
def test_scores_and_reasons_by_the_formula_are_those_of_the_model(
    name: str, person: tuple[list[int], list[int]], candidate: int
) -> None:
    likes, dislikes = person
    folded, known = fold(model(name)), Person(*(np.array(rated, dtype=np.int64) for rated in person))
    parts = {cause: part(folded, likes, dislikes, cause, candidate) for cause in likes + dislikes}
    score = sum(parts.values()) + float(folded.arrays["biases"][candidate])
    assert score == pytest.approx(float(preference_of(model(name), [known])[0, candidate]), abs=1e-4)
    expected = contributions_of(model(name), known, np.array([candidate]))
    assert [parts[cause] for cause in likes] == pytest.approx(expected.likes[0].tolist(), abs=1e-4)
    assert [parts[cause] for cause in dislikes] == pytest.approx(expected.dislikes[0].tolist(), abs=1e-4)


def test_a_model_with_attention_is_refused() -> None:
    assert why_not(model("attentive")) == "its views use attention"
    assert [why_not(model(name)) for name in PLAYABLE] == [""] * len(PLAYABLE)


def test_a_model_with_terms_is_refused() -> None:
    variant = CONFIGS["plain"].model_copy(update={"terms": ["overlap"]})
    plain = model("plain")
    scorer = build_scorer(variant, plain.items.shape[1], data(), known(data()))
    assert why_not(replace(plain, scorer=scorer)) == "its views have terms"


def test_a_model_is_refused_by_the_size_that_its_numbers_take(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("plain", "together"):
        size = fold(model(name)).size
        monkeypatch.setattr(browser_model, "BYTES_AT_MOST", size)
        assert why_not(model(name)) == ""
        monkeypatch.setattr(browser_model, "BYTES_AT_MOST", size - 1)
        what = "item-to-item weights" if name == "together" else "item vectors"
        assert why_not(model(name)).startswith(f"its {what} take ")
