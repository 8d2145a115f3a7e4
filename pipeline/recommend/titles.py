"""Items by the titles that people type: case, accents, articles, years, punctuation and typos do not matter.

A text is looked for in steps, from the strict to the lenient, and the first step that finds anything decides:

    1. the whole title                             "alien" is Alien, and not Aliens; "the birds" is Birds, The
    2. the title without its article               "Birds"
    3. another name in brackets, or what comes before a colon      "Se7en" is Seven (Se7en)
    4. words of the title, in any order            "empire strikes" is Empire Strikes Back, The
    5. nearly the whole title                      "Jurasic Parc" is Jurassic Park

A year at the end, in brackets or not, picks among what was found.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl
from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

from pipeline.common.errors import LONGEST_TITLE, InputError, quoted, shortened
from pipeline.text.title import title_column, year_column

# Typos: one letter put in, left out, changed or swapped with its neighbour for each so many of what was typed.
LETTERS_PER_TYPO = 5
# Similarity, 100 being equality, from which a title is named to somebody whose own was not found.
RELATED = 60.0
LISTED, NEAREST = 10, 3
ID = "id:"

_LETTERS = str.maketrans({"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th"})
_NUMERALS = {"ii": "2", "iii": "3", "iv": "4", "vi": "6", "vii": "7", "viii": "8", "ix": "9"}
_LEADING_ARTICLE = re.compile(r"^(?:the|an?)\s+(?=\S)")
_TRAILING_ARTICLE = re.compile(
    r"^(.+),\s*(the|an?|les?|la|l'|un|une|der|die|das|ein|eine|el|los|las|il|lo|gli|het|een|de|den|det|o|os|as)$",
    re.IGNORECASE,
)
_BRACKETED = re.compile(r"\(([^()]*)\)|\[([^\[\]]*)\]")
_YEAR = r"(?:1[5-9]|20)\d\d"
_BRACKETED_YEAR = re.compile(rf"\s*[(\[]({_YEAR})[)\]]\s*$")
_FINAL_YEAR = re.compile(rf"^(.*\S)[\s,]+[(\[]?({_YEAR})[)\]]?\s*$")


def plain(text: str) -> str:
    """Lower case, no accents, no punctuation, one space between words; Roman numbers of two letters and more as digits.

    >>> plain("  Amélie & the Devil's — Advocate, Part II!")
    'amelie and the devils advocate part 2'
    """
    folded = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
    letters = "".join(character for character in folded if not unicodedata.combining(character))
    spelt = re.sub(r"['’`´]", "", letters.replace("&", " and "))
    return " ".join(_NUMERALS.get(word, word) for word in re.sub(r"[\W_]+", " ", spelt).split())


def article_first(title: str) -> str:
    """'Birds, The' as 'The Birds'."""
    found = _TRAILING_ARTICLE.match(title.strip())
    return f"{found[2]} {found[1]}" if found else title.strip()


def without_article(title: str) -> str:
    """'Birds, The' and 'The Birds' as 'birds', plain."""
    found = _TRAILING_ARTICLE.match(title.strip())
    return _LEADING_ARTICLE.sub("", plain(found[1] if found else title))


@dataclass(frozen=True)
class Names:
    """What an item may be called.

    Attributes:
        whole: the title, and the title without what is in brackets, articles in front; plain.
        bare: the same without articles; plain.
        other: names in brackets, and what comes before a colon, without articles; plain.
    """

    whole: frozenset[str]
    bare: frozenset[str]
    other: frozenset[str]

    @classmethod
    def of(cls, title: str) -> Names:
        main = " ".join(_BRACKETED.sub(" ", title).split())
        parts = [title, main] if main else [title]
        others = ["".join(found) for found in _BRACKETED.findall(title)]
        if ":" in main:
            others.append(main.split(":")[0])
        bare = _kept(without_article(part) for part in parts)
        return cls(
            _kept(plain(article_first(part)) for part in parts),
            bare,
            _kept(without_article(other) for other in others) - bare,
        )


def _kept(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name for name in names if name)


class Titles:
    """The titles of a catalogue.

    Args:
        ids: of the items, in the order of their indices.
        titles: None where an item has none: it goes by its id.
        years: None where unknown; a year in brackets at the end of a title counts as well.
    """

    def __init__(self, ids: Sequence[str], titles: Sequence[str | None], years: Sequence[int | None]) -> None:
        self.ids = list(ids)
        self._index = {item_id: index for index, item_id in enumerate(self.ids)}
        self._titles: list[str] = []
        self._years: list[int | None] = []
        for item_id, title, year in zip(ids, titles, years, strict=True):
            text = " ".join((title or "").split()) or item_id
            found = _BRACKETED_YEAR.search(text)
            if found and found.start():
                text, year = text[: found.start()], int(found[1])
            self._titles.append(shortened(text, LONGEST_TITLE))
            self._years.append(year)

    @classmethod
    def of(cls, items: pl.DataFrame) -> Titles:
        """
        Args:
            items: item_id and any other columns; row is index.
        """
        column, year = title_column(items), year_column(items)
        nothing = [None] * len(items)
        return cls(
            items["item_id"].to_list(),
            items[column].to_list() if column else nothing,
            items[year].cast(pl.String).str.extract(rf"({_YEAR})").cast(pl.Int64).to_list() if year else nothing,
        )

    def __len__(self) -> int:
        return len(self.ids)

    def shown(self, item: int) -> str:
        """Title and year: 'Toy Story (1995)'."""
        year = self._years[item]
        return f"{self._titles[item]} ({year})" if year else self._titles[item]

    def short(self, item: int) -> str:
        """The title alone where no other item has it: 'Toy Story'."""
        return self._titles[item] if self._counts[self._titles[item]] == 1 else self.shown(item)

    @cached_property
    def _counts(self) -> Counter[str]:
        return Counter(self._titles)

    def find(self, text: str) -> int:
        """The one item that is meant: by `id:` and its id, by its id alone, or by its title.

        Raises:
            InputError: no item or more than one; the line lists those that come near, with their ids.
        """
        asked = text.strip()
        if asked.startswith(ID):
            item_id = asked.removeprefix(ID).strip()
            if item_id not in self._index:
                raise InputError(f"item {quoted(text)}: found no item with the id {quoted(item_id)}")
            return self._index[item_id]
        if not plain(asked) and asked not in self._index:
            raise InputError(f"item {quoted(text)}: found no letter or digit, expected a title or an id")
        candidates = self.matches(asked)
        if asked in self._index:
            # A number may be a title too: "187" is a film.
            own = self._index[asked]
            exact = plain(asked)
            candidates = [own] + [item for item in candidates if item != own and exact in self._names[item].whole]
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            years = {self._years[item] for item in candidates}
            how = "add the year or take its id" if len(years) == len(candidates) > 1 else "take its id"
            raise InputError(
                f"item {quoted(text)}: found {len(candidates)} items, expected one, so {how}: {self._list(candidates)}"
            )
        nearest = self._nearest(asked)
        raise InputError(
            f"item {quoted(text)}: found no such title" + (f"; nearest: {self._list(nearest)}" if nearest else "")
        )

    def names(self, text: str, item: int) -> bool:
        """Whether a text is an item's id or whole title, so that nobody can be surprised that it was found."""
        asked = text.strip()
        if asked.removeprefix(ID).strip() == self.ids[item]:
            return True
        dated = _FINAL_YEAR.match(asked)
        texts = [asked, dated[1]] if dated and int(dated[2]) == self._years[item] else [asked]
        names = {_solid(name) for name in self._names[item].whole | self._names[item].bare}
        return any(
            _solid(form) in names for each in texts for form in (plain(article_first(each)), without_article(each))
        )

    def matches(self, text: str) -> list[int]:
        """Items that a text may mean, by the first step that finds any."""
        found = self._whole_title(text)
        if found:
            return found
        dated = _FINAL_YEAR.match(text)
        return (self._of_year(dated[1], int(dated[2])) if dated else []) or self._by_steps(text)

    def _of_year(self, text: str, year: int) -> list[int]:
        """What a text may mean of a year; else of a year beside it; else where no year is known.

        Raises:
            InputError: there is such a title, but of other years.
        """
        candidates = self._by_steps(text)
        for years in ({year}, {year - 1, year + 1}, {None}):
            found = [item for item in candidates if self._years[item] in years]
            if found:
                return found
        if self._whole_title(text):
            raise InputError(f"item {quoted(text)}: found none from {year}, but {self._list(candidates)}")
        return []

    def _by_steps(self, text: str) -> list[int]:
        return self._whole_title(text) or self._part_of_title(text) or self._nearly(text)

    @cached_property
    def _names(self) -> list[Names]:
        return [Names.of(title) for title in self._titles]

    def _whole_title(self, text: str) -> list[int]:
        """By steps 1 to 3. Spaces do not count: "Wall E" is WALL-E, "mash" is M*A*S*H."""
        article, bare = _solid(plain(article_first(text))), _solid(without_article(text))
        for kind, wanted in (("whole", article), ("bare", bare), ("other", bare)):
            found = [item for item, names in enumerate(self._names) if wanted in map(_solid, getattr(names, kind))]
            if found:
                return found
        return []

    @cached_property
    def _plain(self) -> list[str]:
        return [plain(title) for title in self._titles]

    def _part_of_title(self, text: str) -> list[int]:
        wanted = set(without_article(text).split())
        return [item for item, title in enumerate(self._plain) if wanted and wanted <= set(title.split())]

    def _nearly(self, text: str) -> list[int]:
        """Titles that differ by a few letters. A number is no typo: "Rocky 6" is not Rocky V or Rocky 5."""
        wanted = without_article(text)
        numbers = sorted(re.findall(r"\d+", wanted))
        for kind in ("bare", "other"):
            names = [
                (item, name)
                for item, found in enumerate(self._names)
                for name in getattr(found, kind)
                if sorted(re.findall(r"\d+", name)) == numbers
            ]
            texts = [name for _, name in names]
            typos = process.extract(
                wanted, texts, scorer=OSA.distance, score_cutoff=len(wanted) // LETTERS_PER_TYPO, limit=None
            )
            if typos:
                fewest = min(count for _, count, _ in typos)
                return sorted({names[place][0] for _, count, place in typos if count == fewest})
        return []

    def _nearest(self, text: str) -> list[int]:
        scored = process.extract(
            plain(text), self._plain, scorer=fuzz.token_set_ratio, score_cutoff=RELATED, limit=NEAREST
        )
        return [place for _, _, place in scored]

    def _list(self, items: list[int]) -> str:
        more = f" and {len(items) - LISTED} more" if len(items) > LISTED else ""
        return ", ".join(f"{self.shown(item)} {ID}{self.ids[item]}" for item in items[:LISTED]) + more


def _solid(text: str) -> str:
    return text.replace(" ", "")
