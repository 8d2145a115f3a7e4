"""The check of a folder as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.common.errors import quoted
from pipeline.parameters.data_check.check import DataCheck
from pipeline.parameters.data_check.counts import FEW_RATINGS, Counts, Scale
from pipeline.parameters.data_check.findings import Finding
from pipeline.parameters.data_check.suggestions import percent

BARS = "▁▂▃▄▅▆▇█"
EXAMPLE_LENGTH = 100


def shown_check(check: DataCheck) -> str:
    """Counts, suggestions, warnings, errors, verdict."""
    lines = [f"{check.source['path']}: {check.source['type']}"]
    if check.counts is None:
        lines += [
            f"  {name}: {table.rows:,} rows of {', '.join(table.columns)} ({table.file})"
            for name, table in check.files.items()
        ]
    else:
        rows = list(_rows(check, check.counts))
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        lines += [f"  {name:<{widths[0]}}  {number:>{widths[1]}}  {words}".rstrip() for name, number, words in rows]
        if check.errors:
            lines.append("  (of the rows that can be used)")
    # The last one counts what is left, which the others explain.
    lines += [f"note: {remark}" for remark in check.splits] if len(check.splits) > 1 else []
    lines += _numbered("warning", check.warnings) + _numbered("error", check.errors)
    errors = f"{len(check.errors)} {'error' if len(check.errors) == 1 else 'errors'}"
    lines.append("can be used" if check.usable else f"cannot be used: {errors}")
    return "\n".join(lines)


def _rows(check: DataCheck, counts: Counts) -> Iterator[tuple[str, str, str]]:
    few = (
        f", {counts.users_with_few:,} {'user' if counts.users_with_few == 1 else 'users'} with fewer than {FEW_RATINGS}"
        if counts.users_with_few
        else ""
    )
    yield (
        "users",
        f"{counts.users:,}",
        f"median of {counts.ratings_of_users:g} {'rating' if counts.ratings_of_users == 1 else 'ratings'}{few}",
    )
    parts = [
        f"{count:,} ({count / counts.items:.0%}) {what}"
        for count, what in (
            (counts.items_rated, "rated"),
            (counts.items_with_text, "with text"),
            (counts.items_with_entity, "with an entity"),
        )
    ]
    yield "items", f"{counts.items:,}", ", ".join(parts)
    time = "with" if counts.timestamps else "without"
    yield "interactions", f"{counts.interactions:,}", f"{percent(counts.density)} of all pairs, {time} timestamps"
    if counts.splits:
        shares = ", ".join(f"{part} {count:,}" for part, count in counts.splits.items())
        yield "split", "", f"{shares}, by the column split{'' if check.split == 'given' else ', which is not read'}"
    if check.scale is not None:
        yield "ratings", f"{check.scale.low:g}-{check.scale.high:g}", _values(check.scale)
    if check.likes is not None:
        share = check.likes / counts.interactions
        by_column = "each row is a like" if check.source.get("rows_are_likes") else "by the column like"
        rule = by_column if check.threshold is None else f"from {check.threshold.value:g} on ({check.threshold.why})"
        others = "dislikes" if check.feedback is None or check.feedback.value == "rated" else "zeros"
        yield "likes", f"{check.likes:,}", f"{share:.0%}, {rule}; {check.zeros:,} {others}"
    if check.feedback is not None:
        yield "feedback", "", f"{check.feedback.value}: {check.feedback.why}"
    relations = f"{counts.relations:,} {'relation' if counts.relations == 1 else 'relations'}"
    graph = f"{relations}, {counts.entities:,} entities" if counts.triples else "there is no knowledge graph"
    yield "triples", f"{counts.triples:,}", graph
    if check.joining is not None:
        joining = check.joining
        made = joining.sentence()
        yield "s_m", f"{joining.s_m}", f"{made} ({joining.why})" if joining.fits else made
    yield "text", "", _text(check)
    if check.images is not None:
        place = f"{check.images.place}/" if check.images.place else ""
        covered = f"of {check.images.items / counts.items:.0%} of the items"
        yield "images", f"{check.images.items:,}", f"{place}{check.images.template}, {covered}"
    if check.vectors:
        yield (
            "vectors",
            "",
            "; ".join(f"{name}, {one.width} wide, of {one.items:,} items" for name, one in check.vectors.items()),
        )


def _values(scale: Scale) -> str:
    if not scale.counts:
        return f"{scale.values:,} different ones"
    most = max(scale.counts.values())
    bars = (f"{value} {BARS[round((len(BARS) - 1) * count / most)]}" for value, count in scale.counts.items())
    return "  ".join(bars)


def _text(check: DataCheck) -> str:
    if check.template is None:
        return "none"
    text = check.example if len(check.example) <= EXAMPLE_LENGTH else f"{check.example[: EXAMPLE_LENGTH - 1]}…"
    return f"{check.template!r}, such as {quoted(text)}"


def _numbered(kind: str, findings: Sequence[Finding]) -> list[str]:
    lines = []
    for finding in findings:
        lines.append(f"{kind}: {finding.sentence()}")
        if finding.advice:
            lines.append(f"  -> {finding.advice}")
    return [" ".join(line.split()) if not line.startswith("  ") else line for line in lines]
