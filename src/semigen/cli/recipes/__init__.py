"""The models that ``fit`` can learn: how each is made, and how it is judged."""

from semigen.cli.recipes.judging import learn_model
from semigen.cli.recipes.records import Judged, Options, Recipe
from semigen.cli.recipes.registry import DEEP, recipe_of, refuse_families

__all__ = ["DEEP", "Judged", "Options", "Recipe", "learn_model", "recipe_of", "refuse_families"]
