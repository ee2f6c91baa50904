"""What a recipe is."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from semigen.cli.sources import Source
from semigen.columns import Kind
from semigen.common.progress import Progress
from semigen.comparison import Comparison, Verdict
from semigen.io.images import ImageForm
from semigen.reporting.facts import WITH, WITHOUT


@dataclass(frozen=True)
class Options:
    """Which model the user asked for, and how it is to be trained; None: as the model does by default."""

    model: str = "auto"
    covariance: str = "auto"
    time_budget: float | None = None
    jobs: int | None = None
    steps: int | None = None
    seed: int = 0
    checkpoint: Path | None = None
    began: float = field(default_factory=time.perf_counter)
    """When the command began, on that clock."""
    class_prior: str | Mapping[str, float] | None = None
    """A word, or shares by the names of classes."""

    @property
    def seconds_left(self) -> float | None:
        """Of the time budget, now that rows are read."""
        if self.time_budget is None:
            return None
        return max(self.time_budget - (time.perf_counter() - self.began), 0.0)


@dataclass(frozen=True)
class Judged:
    """A fitted model, and what held-out labeled rows say about it.

    Attributes
    ----------
    model : classifier
        To be saved.
    uses_unlabeled : bool
        Whether it is trained on the unlabeled rows, too.
    comparison : Comparison or None
        None where no labeled row could be held out.
    pair : tuple of str
        Names in ``comparison`` of the model with the unlabeled rows and without.
    why_not : str or None
        Why there is no comparison.
    verdict : Verdict
        Whether the unlabeled rows helped.
    """

    model: Any
    uses_unlabeled: bool
    comparison: Comparison | None
    pair: tuple[str, str]
    why_not: str | None
    verdict: Verdict

    @property
    def saved_first(self) -> tuple[str, str]:
        """Names in ``comparison`` of the model that is saved and of its twin."""
        return self.pair if self.uses_unlabeled else (self.pair[1], self.pair[0])

    @property
    def trained_on(self) -> str:
        """The rows that the model is trained on, in words."""
        return WITH if self.uses_unlabeled else WITHOUT


@dataclass(frozen=True)
class Families:
    """The families that a model has for columns: those that may be named, and the usual one of each kind."""

    named: tuple[str, ...]
    of_kind: Mapping[Kind, str]


@dataclass(frozen=True)
class Recipe:
    """A kind of model.

    Attributes
    ----------
    make : callable
        From source and options to the estimator.
    judge : callable
        From that estimator, source, options and progress to the fitted and judged one.
    about : callable
        What the summary says about the fitted estimator.
    families : Families or None
        None for a model without a density for each column.
    announce : callable or None
        What is printed before a long training, from source and options; None: nothing is said.
    draw : callable or None
        From the fitted model, the form of images and a seed to a grid of images; None for a model that makes
        none.
    """

    make: Callable[[Source, Options], Any]
    judge: Callable[[Any, Source, Options, Progress], Judged]
    about: Callable[[Any], dict[str, Any]]
    families: Families | None = None
    announce: Callable[[Source, Options], str] | None = None
    draw: Callable[[Any, ImageForm, int], NDArray[Any]] | None = None
