from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from pipeline.common.config import changed, read_yaml, validated
from pipeline.common.errors import InputError
from pipeline.data.dataset import Dataset
from pipeline.evaluation.baselines import choice
from pipeline.evaluation.baselines.als import ImplicitAls
from pipeline.evaluation.baselines.biased_mf import BiasedMf
from pipeline.evaluation.baselines.choice import Chosen, Tried, choose
from pipeline.evaluation.baselines.ease import fit_ease
from pipeline.evaluation.baselines.item_knn import ItemKnn
from pipeline.evaluation.baselines.item_mean import ItemMean
from pipeline.evaluation.baselines.popularity import Popularity
from pipeline.evaluation.baselines.registry import GRIDS, BaselineSettings
from pipeline.evaluation.baselines.trees import Trees
from pipeline.evaluation.metrics.evaluated import evaluate_split
from pipeline.evaluation.protocols.scores import Scorer, scores_of
from tests.evaluation.worlds import dataset, planted_dataset, poisoned, random_dataset, random_rows, unrated_rows
from tests.repository import ROOT

USERS, ITEMS = 20, 30
SETTINGS: dict[str, Any] = {
    "chosen_by": "ranking.ndcg@10",
    "popularity": {},
    "item-mean": {"damping": [0.0, 30.0]},
    "item-knn": {"neighbours": [1, 3, 20], "dislike_weight": [0.0]},
    "ease": {
        "l2": [0.5, 20.0, 5000.0],
        "dislike_weight": [0.5, -0.5, 0.0],
        "graph": [0.0, 2.0, 20.0],
        "max_items": 100,
        "neighbours": 5,
        "max_pairs": 1000,
    },
    "als": {
        "factors": [1, 3],
        "regularization": [0.1, 5.0],
        "alpha": [2.0],
        "iterations": 2,
        "dislike_weight": [0.25, 1.0],
    },
    "biased-mf": {"factors": [1, 2], "regularization": [0.5, 50.0], "iterations": 2},
    "trees": {"iterations": [2, 20], "leaves": [4], "learning_rate": [0.2], "negatives": [2], "max_pairs": 10_000},
}
OF_DISLIKES = {"item-mean", "biased-mf"}
Change = dict[str, Any] | str


def config(changes: dict[str, Change] | None = None) -> Any:
    return BaselineSettings.model_validate(changed(SETTINGS, changes))


def chosen_of(data: Dataset, settings: Any, seed: int = 0) -> dict[str, tuple[Chosen, list[Tried]]]:
    """Of every baseline that is not left out."""
    grids = {name: settings.grid(name) for name in GRIDS}
    return {
        name: choose(data, name, grid, settings.chosen_by, seed)
        for name, grid in grids.items()
        if grid.left_out(data) is None
    }


def tried_of(data: Dataset, settings: Any, seed: int = 0) -> list[Tried]:
    return [one for _, tried in chosen_of(data, settings, seed).values() for one in tried]


# What is tried after that, with the best of it: the other weights of a dislike.
AFTER: dict[str, Callable[[Dataset, int], list[Scorer]]] = {
    "ease": lambda data, best: [fit_ease(data, (0.5, 20.0, 5000.0)[best], weight) for weight in (-0.5, 0.0)],
    "als": lambda data, best: [
        ImplicitAls.fit(data, (1, 1, 3, 3)[best], (0.1, 5.0)[best % 2], 2.0, 2, 7, dislike_weight=1.0)
    ],
}


def test_every_setting_of_a_grid_is_tried_and_the_best_on_validation_is_chosen() -> None:
    # Tastes that are not as clear as the planted ones: settings differ by every figure.
    data, settings = random_dataset(USERS, ITEMS, 0.6), config({"ease": {"graph": [0.0]}})
    grids: dict[str, list[Scorer]] = {
        "popularity": [Popularity.fit(data)],
        "item-mean": [ItemMean.fit(data, damping) for damping in (0.0, 30.0)],
        "item-knn": [ItemKnn.fit(data, neighbours) for neighbours in (1, 3, 20)],
        "ease": [fit_ease(data, l2, 0.5) for l2 in (0.5, 20.0, 5000.0)],
        "als": [ImplicitAls.fit(data, f, r, 2.0, 2, 7, dislike_weight=0.25) for f in (1, 3) for r in (0.1, 5.0)],
        "biased-mf": [BiasedMf.fit(data, f, r, 2, 7) for f in (1, 2) for r in (0.5, 50.0)],
        "trees": [Trees.fit(data, iterations, 4, 0.2, 2, 7) for iterations in (2, 20)],
    }
    found = chosen_of(data, settings, 7)
    assert list(found) == list(grids) == list(GRIDS)
    for system, scorers in grids.items():
        chosen, tried = found[system]
        figure = "impression.ndcg@10" if system in OF_DISLIKES else "ranking.ndcg@10"
        assert {one.chosen_by for one in tried} == {figure}
        values = [evaluate_split(scorer, data, "valid").value(figure) for scorer in scorers]
        if system in AFTER:
            scorers += AFTER[system](data, values.index(max(values)))
            values = [evaluate_split(scorer, data, "valid").value(figure) for scorer in scorers]
        assert len(set(values)) > 1 or len(values) == 1
        assert [one.validation for one in tried] == values
        best = values.index(max(values))
        assert [one.chosen for one in tried] == [place == best for place in range(len(values))]
        users = np.arange(data.users)
        # Here products may have more threads than where settings are tried side by side: they round otherwise.
        found_scores, expected_scores = (
            scores_of(scorer, users).preference for scorer in (chosen.scorer, scorers[best])
        )
        np.testing.assert_allclose(found_scores, expected_scores, rtol=1e-5, atol=1e-12)
        assert chosen.on_validation.value(figure) == values[best]


@pytest.mark.parametrize("seed", range(4))
def test_ease_tries_the_graph_and_dislikes_until_no_change_of_one_of_them_is_better(seed: int) -> None:
    data = random_dataset(USERS, ITEMS, 0.6, seed)
    given = SETTINGS["ease"]
    _, tried = chosen_of(data, config())["ease"]
    every = {
        f"l2 {l2:g}, graph {graph:g}, dislike weight {weight:g}": (l2, weight, graph)
        for l2 in given["l2"]
        for weight in given["dislike_weight"]
        for graph in given["graph"]
    }
    values = {}
    for one in tried:
        l2, weight, graph = every[one.setting]
        scorer = fit_ease(data, l2, weight, graph=graph)
        values[l2, weight, graph] = evaluate_split(scorer, data, "valid").value("ranking.ndcg@10")
        assert one.validation == values[l2, weight, graph]
    assert list(values)[:3] == [(l2, 0.5, 0.0) for l2 in given["l2"]]
    l2, weight, graph = next(every[one.setting] for one in tried if one.chosen)
    assert values[l2, weight, graph] == max(values.values())
    assert {(l2, other, graph) for other in given["dislike_weight"]} <= values.keys()
    assert {(l2, weight, other) for other in given["graph"]} <= values.keys()


def test_ease_leaves_out_a_graph_with_too_many_pairs_that_share_an_entity() -> None:
    data = random_dataset(USERS, ITEMS, 0.6)
    assert data.entities is not None
    pairs = sum(int(column.sum()) ** 2 for column in data.entities.toarray().T)

    def graphs(most: int) -> set[str]:
        grid = config({"ease": {"max_pairs": most}}).grid("ease")
        best = next(iter(grid.settings(0, 1)))
        return {setting.split(", ")[1] for setting in grid.settings_after(best, data, 0, 1)}

    assert graphs(pairs) == {"graph 0", "graph 2", "graph 20"}
    assert graphs(pairs - 1) == {"graph 0"}


def test_settings_tried_side_by_side_are_those_tried_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    data, settings = random_dataset(USERS, ITEMS, 0.6), config()
    met, threads = [], []
    original = ImplicitAls.fit

    def spy(*arguments: Any, **named: Any) -> ImplicitAls:
        threads.append(named["threads"])
        return original(*arguments, **named)

    monkeypatch.setattr(ImplicitAls, "fit", spy)
    monkeypatch.setattr(choice, "cores_here", lambda: 3)
    for cells in (ITEMS**2, 10 * ITEMS**2):
        monkeypatch.setattr(choice, "MOST_CELLS", cells)
        with threadpool_limits(1):
            found = chosen_of(data, settings, 7)
        scores = [scores_of(chosen.scorer, np.arange(USERS)).preference.tobytes() for chosen, _ in found.values()]
        met.append(([tried for _, tried in found.values()], scores))
    assert met[0] == met[1]
    assert threads == [0] * 5 + [1] * 5, "ALS has threads of its own where nothing runs beside it"


def test_the_choice_follows_the_figure_that_is_named() -> None:
    data = planted_dataset(seed=2)
    by = {name: tried_of(data, config({"chosen_by": name})) for name in ("ranking.ndcg@10", "ctr.user_auc")}
    picked = {name: [one.setting for one in tried if one.chosen] for name, tried in by.items()}
    for name, tried in by.items():
        for system in {one.system for one in tried}:
            assert max(t.validation for t in tried if t.system == system) in [
                t.validation for t in tried if t.system == system and t.chosen
            ], name
    assert picked["ranking.ndcg@10"] != picked["ctr.user_auc"]


def test_of_settings_that_do_equally_well_the_first_is_chosen() -> None:
    # More neighbours than there are items: both keep them all.
    tried = tried_of(random_dataset(USERS, ITEMS), config({"item-knn": {"neighbours": [200, 100]}}))
    knn = [one for one in tried if one.system == "item-knn"]
    assert knn[0].validation == knn[1].validation
    assert [(one.setting, one.chosen) for one in knn] == [
        ("neighbours 200, dislike weight 0", True),
        ("neighbours 100, dislike weight 0", False),
    ]


def test_what_the_test_split_holds_changes_no_choice() -> None:
    rows = random_rows(USERS, ITEMS, 0.5, 0)
    drawn = unrated_rows(rows, USERS, ITEMS, 0)
    clean, other = (tried_of(dataset(part, drawn, USERS, ITEMS), config()) for part in (rows, poisoned(rows, {"test"})))
    assert clean == other


def test_fits_do_not_see_validation_or_test() -> None:
    rows = random_rows(USERS, ITEMS, 0.5, 0)
    clean, other = (dataset(part, [], USERS, ITEMS) for part in (rows, poisoned(rows, {"valid", "test"})))
    assert clean.liked("valid").items.tolist() != other.liked("valid").items.tolist()
    users = np.arange(USERS)
    for system in GRIDS:
        grid = config().grid(system)
        first = grid.settings(0, 1)
        for setting, fit in (first | grid.settings_after(next(iter(first)), clean, 0, 1)).items():
            one, two = (scores_of(fit(data), users).preference for data in (clean, other))
            np.testing.assert_array_equal(one, two, err_msg=system + setting)


def test_ease_is_left_out_beyond_its_number_of_pairs_where_there_are_many_items() -> None:
    data = dataset(random_rows(USERS, ITEMS, 0.5, 0), [], USERS, ITEMS)
    rated = (data.train_likes + data.train_dislikes).toarray() > 0
    assert rated.any(axis=0).sum() == ITEMS
    pairs = sum(int(row.sum()) ** 2 for row in rated)

    def why(name: str, items: int, most: int) -> str | None:
        return config({"ease": {"max_items": items, "max_pairs": most}}).grid(name).left_out(data)

    assert why("ease", ITEMS, 1) is None
    assert why("ease", ITEMS - 1, pairs) is None
    assert why("ease", ITEMS - 1, pairs - 1) == (
        f"{pairs} pairs of items that a user rated, more than max_pairs {pairs - 1}"
    )
    assert all(why(name, 1, 1) is None for name in GRIDS if name != "ease")


def test_beyond_its_number_of_items_ease_has_weights_of_neighbours() -> None:
    data, users = random_dataset(USERS, ITEMS, 0.6), np.arange(USERS)
    grids = {most: config({"ease": {"max_items": most}}).grid("ease").settings(0, 1) for most in (ITEMS, ITEMS - 1)}
    name = "l2 20, graph 0, dislike weight 0.5"
    whole, few = (grids[most][name](data).score(users) for most in (ITEMS, ITEMS - 1))
    np.testing.assert_array_equal(whole, fit_ease(data, 20.0, 0.5).score(users))
    np.testing.assert_array_equal(few, fit_ease(data, 20.0, 0.5, ITEMS - 1, 5).score(users))
    assert not np.allclose(whole, few)


def test_without_a_dislike_in_training_one_weight_of_dislikes_is_tried() -> None:
    rows = [row | {"like": True, "rating": 5.0} for row in random_rows(USERS, ITEMS, 0.3, 0)]
    tried = tried_of(
        dataset(rows, unrated_rows(rows, USERS, ITEMS, 0), USERS, ITEMS), config({"ease": {"graph": [0.0]}})
    )
    assert [one.setting for one in tried if one.system == "ease"] == [
        f"l2 {l2}, graph 0, dislike weight 0.5" for l2 in ("0.5", "20", "5000")
    ]


def test_the_pipeline_runs_every_baseline_of_the_registry() -> None:
    assert read_yaml(ROOT / "params.yaml")["run_baselines"] == list(GRIDS)


def test_a_baseline_that_there_is_not_is_one_line() -> None:
    with pytest.raises(InputError, match=r"^baseline: found 'eas', expected one of: popularity, item-mean"):
        config().grid("eas")


def test_a_figure_that_validation_does_not_have_is_replaced_by_that_of_the_settings_or_refused() -> None:
    rows = [row | {"like": True, "rating": 5.0} for row in random_rows(USERS, ITEMS, 0.3, 0)]
    data = dataset(rows, unrated_rows(rows, USERS, ITEMS, 0), USERS, ITEMS)
    assert {one.chosen_by for one in tried_of(data, config())} == {"ranking.ndcg@10"}
    with pytest.raises(
        InputError, match=r"baselines\.chosen_by: found impression\.ndcg@10, which no user of the valid"
    ):
        tried_of(data, config({"chosen_by": "impression.ndcg@10"}))


@pytest.mark.parametrize(
    ("baseline", "key", "value", "named"),
    [
        ("item-knn", "neighbours", [20, 0], r"neighbours\.1: found 0, expected greater than or equal to 1"),
        ("item-knn", "neighbours", [], r"neighbours: found \[\]"),
        ("ease", "l2", [0.0], r"l2\.0: found 0\.0, expected greater than 0"),
        ("ease", "graph", [0.0, -1.0], r"graph\.1: found -1\.0, expected greater than or equal to 0"),
        ("als", "factors", [0], r"factors\.0: found 0"),
        ("als", "regularization", [-0.1], r"regularization\.0: found -0\.1"),
        ("als", "alpha", [1.0, 0.0], r"alpha\.1: found 0\.0"),
        ("als", "iterations", 0, r"iterations: found 0"),
        ("item-mean", "damping", [5.0, -1.0], r"damping\.1: found -1\.0"),
        ("ease", "dislike_weight", [0.0, -1.25], r"dislike_weight\.1: found -1\.25"),
        ("als", "dislike_weight", [1.5], r"dislike_weight\.0: found 1\.5"),
        ("item-knn", "dislike_weight", [], r"dislike_weight: found \[\]"),
        ("biased-mf", "factors", [8, 0], r"factors\.1: found 0"),
        ("biased-mf", "regularization", [0.0], r"regularization\.0: found 0\.0"),
        ("biased-mf", "iterations", 0, r"iterations: found 0"),
        ("ease", "max_items", 0, r"max_items: found 0"),
        ("ease", "neighbours", 0, r"neighbours: found 0"),
        ("popularity", "max_items", 1, r"max_items: found an unknown key"),
    ],
)
def test_a_setting_out_of_its_range_is_named(baseline, key, value, named) -> None:
    with pytest.raises(InputError, match=f"^params: {baseline}.{named}"):
        validated(BaselineSettings, changed(SETTINGS, {baseline: {key: value}}), "params: ")


@pytest.mark.parametrize("figure", ["ranking.mrr", "ctr.auc"])
def test_a_baseline_is_chosen_by_a_mean_over_users_alone(figure) -> None:
    with pytest.raises(InputError, match=f"^params: chosen_by: found '{figure}'"):
        validated(BaselineSettings, SETTINGS | {"chosen_by": figure}, "params: ")
