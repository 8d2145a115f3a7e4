"""A data set made by hand of another domain: 200 recipes with tags as knowledge graph, and 50 people's ratings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

PEOPLE, RECIPES = 50, 200
CUISINES = ("österreichisch", "south indian", "tex-mex", "provençal")
DISHES = ("soup", "curry", "pie", "salad", "stew")
INGREDIENTS = tuple(
    f"{cuisine}: {thing}" for cuisine in CUISINES for thing in ("leaf", "root", "oil", "spice", "grain")
)
NAMES = ("Jörg Müller", "Ann O'Neill", 'Bob "Bo" Smith', "Li, Wei")


def person(number: int) -> str:
    """Ids as people have them: names, with spaces and worse."""
    return f"{NAMES[number % len(NAMES)]} {number}"


def favourite(number: int) -> str:
    """The cuisine that a person likes."""
    return CUISINES[number % len(CUISINES)]


def recipe_tables() -> dict[str, pl.DataFrame]:
    """People like the recipes of their cuisine and dislike others; a recipe has a cuisine, a dish, ingredients."""
    random = np.random.default_rng(7)
    cuisine = random.integers(len(CUISINES), size=RECIPES)
    dish = random.integers(len(DISHES), size=RECIPES)
    ratings = []
    for number in range(PEOPLE):
        for recipe in np.flatnonzero(random.random(RECIPES) < 0.15):
            liked = CUISINES[cuisine[recipe]] == favourite(number)
            stars = random.choice([4, 5] if liked else [1, 2, 3, 4])
            ratings.append((person(number), int(recipe) + 1000, int(stars)))
    facts = []
    for recipe in range(RECIPES):
        entity = f"Rezept {recipe + 1000}"
        facts.append((entity, "cuisine", CUISINES[cuisine[recipe]]))
        facts.append((entity, "dish", DISHES[dish[recipe]]))
        own = 5 * cuisine[recipe] + random.choice(5, 3, replace=False)
        facts += [(entity, "contains", INGREDIENTS[ingredient]) for ingredient in own]
    title = [
        f'{DISHES[dish[recipe]].title()} "{CUISINES[cuisine[recipe]]}", no. {recipe}, with Käse'
        for recipe in range(RECIPES)
    ]
    return {
        "interactions": pl.DataFrame(ratings, schema=["user_id", "item_id", "rating"], orient="row"),
        "items": pl.DataFrame(
            {
                "item_id": range(1000, 1000 + RECIPES),
                "name": title,
                "tags": [f"{DISHES[dish[recipe]]}, {CUISINES[cuisine[recipe]]}" for recipe in range(RECIPES)],
            }
        ),
        "kg": pl.DataFrame(facts, schema=["head", "relation", "tail"], orient="row"),
        # One recipe is not in the graph.
        "item_entities": pl.DataFrame(
            {
                "item_id": range(1000, 1000 + RECIPES - 1),
                "entity_id": [f"Rezept {recipe + 1000}" for recipe in range(RECIPES - 1)],
            }
        ),
    }


def write_recipes(folder: Path) -> Path:
    """The tables as people have them: some as CSV, one with tabs, one as Parquet."""
    folder.mkdir(parents=True)
    tables = recipe_tables()
    tables["interactions"].write_csv(folder / "interactions.csv")
    tables["items"].write_csv(folder / "items.csv")
    tables["kg"].write_csv(folder / "kg.tsv", separator="\t")
    tables["item_entities"].write_parquet(folder / "item_entities.parquet")
    return folder
