"""Recipes by the names that ``--model`` takes."""

from __future__ import annotations

from collections.abc import Mapping

from semigen.cli.recipes.records import Recipe
from semigen.cli.recipes.standard import RECIPES
from semigen.cli.sources.columns import KINDS, named_kinds
from semigen.columns.tables import listing
from semigen.exceptions import ParameterError

DEEP = ("vae", "gan", "flow")
"""Models that need PyTorch."""


def recipe_of(name: str) -> Recipe:
    """The recipe of a model.

    Raises
    ------
    MissingExtraError
        If it is a deep model and PyTorch is not installed.
    """
    if name not in DEEP:
        return RECIPES[name]
    from semigen.cli.recipes.deep import DEEP_RECIPES  # PyTorch: loads for seconds

    return DEEP_RECIPES[name]


def refuse_families(name: str, recipe: Recipe, read_as: Mapping[str, str]) -> None:
    """Refuse unknown words of ``--as``, and families that a model does not have.

    Raises
    ------
    ParameterError
        With the words that may be used.
    """
    named_kinds(read_as)
    able = recipe.families.named if recipe.families else ()
    stray = [f"{column}={word}" for column, word in read_as.items() if word not in (*KINDS, *able)]
    if stray:
        has = f"has only the families {listing(able)}" if able else "has no families of columns"
        raise ParameterError(
            f"--as {listing(stray)}: --model {name} {has}. Name a kind ({listing(KINDS)}), or choose "
            "--model mixture."
        )
