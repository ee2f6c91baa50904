"""Which recipes run on which problems, and what they have to reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.deep import recipes
from benchmarks.deep.problems import Problem, digits, fashion, mnist, moons, rings
from benchmarks.deep.recipes import MNIST_CPU, MNIST_GPU, SHAPES, Recipe


@dataclass(frozen=True)
class Target:
    """The most that an error, %, may be: of one method, or of the best of the deep ones."""

    problem: str
    method: str
    error: float
    published: str = ""


@dataclass(frozen=True)
class Profile:
    """A part of the benchmark.

    Attributes
    ----------
    name, about : str
    problems : tuple of Problem
    recipes : dict {str: Recipe}
    draws : int
        Label draws, or draws of the data.
    targets : tuple of Target
    """

    name: str
    about: str
    problems: tuple[Problem, ...]
    recipes: Mapping[str, Recipe]
    draws: int
    targets: tuple[Target, ...] = ()


ANY = "the best deep model"
DEEP = (
    "M1+M2",
    "M2",
    "GAN",
    "M1 + auto",
    "M1 + label spreading",
    "M1 + label spreading, taught",
    "M1 of gradients + label spreading",
    "M1 of gradients + label spreading, taught",
    "M1 of pixels and of gradients",
    "GAN with pull-away and entropy",
)
MNIST_100 = Problem("MNIST, 100 labels", 10, mnist)
FASHION_100 = Problem("Fashion-MNIST, 100 labels", 10, fashion)
DIGITS_3 = Problem("digits, 3 labels per class", 3, digits)
DIGITS_10 = Problem("digits, 10 labels per class", 10, digits)
TWO_DIMENSIONS = (
    Problem("two moons, noise .1", 2, moons(0.1)),
    Problem("two rings, noise .05", 2, rings(0.05)),
    Problem("two rings, noise .1", 2, rings(0.1)),
)

PROFILES = {
    one.name: one
    for one in (
        Profile(
            "small",
            "digits of 8 × 8 pixels, each model and what its parts are worth; one draw, for CI.",
            (DIGITS_10,),
            recipes.digits(700),
            1,
        ),
        Profile(
            "digits",
            "digits of 8 × 8 pixels: the splits and labels of the bundled tables' benchmark.",
            (DIGITS_3, DIGITS_10),
            recipes.digits(2000),
            5,
            (
                Target(DIGITS_3.name, ANY, 10.0, "label spreading 11.5"),
                Target(DIGITS_10.name, ANY, 4.0, "label spreading 6.4"),
            ),
        ),
        Profile(
            "shapes",
            "two moons and two rings, two labels per class, 1,000 rows; 2,000 fresh ones are judged.",
            TWO_DIMENSIONS,
            SHAPES,
            10,
            tuple(Target(one.name, "flow mixture", 1.0) for one in TWO_DIMENSIONS),
        ),
        Profile(
            "cpu",
            "MNIST with 10 labels per class; shortened recipes of at most ten minutes on two cores.",
            (MNIST_100,),
            MNIST_CPU,
            3,
            (
                Target(MNIST_100.name, ANY, 3.5),
                Target(MNIST_100.name, "M1 + label spreading", 8.0),
            ),
        ),
        Profile(
            "fashion",
            "Fashion-MNIST with 10 labels per class, at most 15 CPU minutes a fit.",
            (FASHION_100,),
            recipes.FASHION_CPU,
            3,
            (Target(FASHION_100.name, ANY, 22.5, "label spreading on pixels 27.5, a forest 30.1"),),
        ),
        Profile(
            "gpu",
            "MNIST with 10 labels per class; full recipes, for a GPU.",
            (MNIST_100,),
            MNIST_GPU,
            10,
            (
                Target(MNIST_100.name, "M2", 6.5, "11.97 Kingma et al. 2014, 6.81 ± .60 best reproduction"),
                Target(MNIST_100.name, "M1+M2", 3.3, "3.33 ± .14 Kingma et al. 2014"),
                Target(MNIST_100.name, "GAN", 0.93, "0.93 ± .065 Salimans et al. 2016"),
            ),
        ),
    )
}
