"""What the parameters of a mixture classifier mean, checked in one place."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semigen.em import ClassPrior
from semigen.exceptions import ParameterError

Classes = NDArray[Any]


def component_groups(components_per_class: Any, n_novel: Any, classes: Classes) -> NDArray[np.intp]:
    """Class index of each component, K for novel ones, (C,)."""
    counts = _components(components_per_class, classes)
    integer("n_novel_components", n_novel, minimum=0)
    groups = np.repeat(np.arange(len(classes)), counts)
    return np.concatenate([groups, np.full(int(n_novel), len(classes))]).astype(np.intp)


def _components(components_per_class: Any, classes: Classes) -> list[int]:
    if isinstance(components_per_class, Mapping):
        known = classes.tolist()
        stray = [key for key in components_per_class if key not in known]
        if stray:
            raise ParameterError(
                f"components_per_class names {stray!r}, which are not among the classes {known!r}."
            )
        counts = [components_per_class.get(label, 1) for label in known]
    else:
        counts = [components_per_class] * len(classes)
    for label, count in zip(classes.tolist(), counts, strict=True):
        integer(f"components_per_class for class {label!r}", count, minimum=1)
    return [int(count) for count in counts]


def class_prior(value: Any, classes: Classes) -> ClassPrior:
    """The class prior of that name, or fixed class probabilities."""
    if isinstance(value, str):
        if value in ("shared", "unlabeled"):
            return ClassPrior(value)
        if value == "uniform":
            return ClassPrior("fixed", np.full(len(classes), 1.0 / len(classes)))
        raise ParameterError(
            f"class_prior={value!r} is not known: use 'shared', 'unlabeled', 'uniform' or an array of "
            f"{len(classes)} probabilities."
        )
    values = np.asarray(value, dtype=np.float64)
    good = values.shape == (len(classes),) and np.isfinite(values).all() and (values > 0).all()
    if not good or abs(values.sum() - 1) > 1e-6:
        raise ParameterError(
            f"class_prior={value!r}: an array needs one positive probability for each of the classes "
            f"{classes.tolist()!r}, in that order, with sum 1."
        )
    return ClassPrior("fixed", values / values.sum())


def shrinkage(value: Any) -> float | None:
    """Pseudo-rows, or None for the family's own choice."""
    if isinstance(value, str) and value == "auto":
        return None
    return real("shrinkage", value, minimum=0.0, more="'auto' or ")


def integer(name: str, value: Any, *, minimum: int) -> int:
    """An integer of at least ``minimum``."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < minimum:
        raise ParameterError(f"{name}={value!r}: it must be an integer of at least {minimum}.")
    return int(value)


def real(name: str, value: Any, *, minimum: float, maximum: float = np.inf, more: str = "") -> float:
    """A finite number between two bounds."""
    number = isinstance(value, Real) and not isinstance(value, bool) and np.isfinite(float(value))
    if not number or not minimum <= float(value) <= maximum:
        bounds = f"from {minimum:g} to {maximum:g}" if np.isfinite(maximum) else f"of at least {minimum:g}"
        raise ParameterError(f"{name}={value!r}: it must be {more}a number {bounds}.")
    return float(value)
