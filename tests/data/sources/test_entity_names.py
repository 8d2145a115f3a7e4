from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.common.errors import InputError
from pipeline.data.sources.tables import TablesSource
from pipeline.data.sources.tidy import TidyTables
from pipeline.graph.paths import KnowledgeGraph

KG = "head,relation,tail\nm1,genre,Q1\nm2,genre,Q1\nm1,maker,Q2\nm2,maker,Q2\nm2,year,7\n"


def folder_of(folder: Path, names: str | None) -> Path:
    (folder / "interactions.csv").write_text("user_id,item_id,rating\na,1,5\nb,1,3\na,2,1\n")
    (folder / "items.csv").write_text("item_id,title\n1,Heat\n2,Collateral\n")
    (folder / "kg.csv").write_text(KG)
    (folder / "item_entities.csv").write_text("item_id,entity_id\n1,m1\n2,m2\n")
    if names is not None:
        (folder / "entities.csv").write_text(names)
    return folder


def read(folder: Path, **settings: object) -> TidyTables:
    return TablesSource(type="tables", path=str(folder), **settings).read()  # type: ignore[arg-type]


def test_names_are_found_and_change_nothing_that_items_share(tmp_path: Path) -> None:
    bare = read(folder_of(tmp_path, None))
    # An item goes by its title, whatever else it is called; a name that is an item's entity would join them.
    named = read(folder_of(tmp_path, "entity_id,name\nQ1,Crime\nm1,Another name\n7,m1\nQ9,Nobody\n"))
    added = set(named.kg.rows()) - set(bare.kg.rows())
    assert added == {("Q1", "label", "Crime")}
    assert named.remarks == [f"{tmp_path}/entities.csv: 1 of 4 entities are not in {tmp_path}/kg.csv and are left out"]
    items = named.items.with_row_index("item")
    graphs = [
        KnowledgeGraph(each.kg, each.item_entities, items, titles=["Heat", "Collateral"]) for each in (bare, named)
    ]
    (before,), (after,) = (graph.paths(0, [1]) for graph in graphs)
    assert [entity.name for entity in before.shared] == [None, None]
    assert {entity.entity: entity.name for entity in after.shared} == {"Q1": "Crime", "Q2": None}


def test_columns_may_be_renamed(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "entity,label\nQ1,Crime\n")
    rename = {"entities.entity": "entity_id", "entities.label": "name"}
    assert ("Q1", "label", "Crime") in read(folder, rename=rename).kg.rows()


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("entity_id,name\nQ1,Crime\nQ1,Thriller\n", "entities.csv: line 3: found entity_id Q1 a second time"),
        ("entity_id,name\nQ1,\n", "entities.csv: column name, line 2: found no value, expected a name"),
        ("entity_id,title\nQ1,Crime\n", "entities.csv: column name: not found; the file has: entity_id, title"),
    ],
)
def test_a_mistake_is_named(names: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as found:
        read(folder_of(tmp_path, names))
    assert message in str(found.value)


def test_without_a_graph_names_are_not_read(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "nonsense\n1\n")
    assert read(folder, graph=False).kg.is_empty()
