from __future__ import annotations

import polars as pl
import pytest

from pipeline.data.elements import elements_of, json_or_python


@pytest.mark.parametrize(
    "text", [r'["\ud83d", "a"]', r"['\ud83d']", r'[{"name": "\udc00"}]', r"[{'\ud83d': 1}]", r"[('a', {'\ud83d'})]"]
)
def test_what_has_half_of_a_character_is_neither_json_nor_python(text: str) -> None:
    with pytest.raises(ValueError, match="surrogates not allowed"):
        json_or_python(text)


def test_a_cell_with_half_of_a_character_is_a_text_as_it_stands() -> None:
    """Else no column could be made of it."""
    column = pl.Series([r'["\ud83d\ude00", "a"]', r'["b\u0041"]'])
    assert elements_of(column).to_list() == [["\U0001f600", "a"], ["bA"]]
    halved = pl.Series([r'["\ud83d", "a"]', '["b"]'])
    elements = elements_of(halved)
    assert elements is None or r"\ud83d" in str(elements.to_list())
