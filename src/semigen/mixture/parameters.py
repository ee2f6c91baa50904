"""What the parameters of a mixture classifier mean, checked in one place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semigen.common.checks import integer, real
from semigen.data.labels import in_class_order
from semigen.em import ClassPrior, LabelNoise, as_acceleration, as_engine
from semigen.exceptions import ParameterError
from semigen.families import Family
from semigen.mixture.selection import CRITERIA

Classes = NDArray[Any]

LIKELY_RIGHT = 0.9
"""Share of right labels that an estimate of the label noise starts from."""


def check(estimator: Any) -> None:
    """Refuse settings of a mixture classifier that need no rows to be known as wrong.

    Raises
    ------
    ParameterError
        If one is.
    """
    as_engine(estimator.engine)
    integer("n_init", estimator.n_init, minimum=1)
    integer("max_iter", estimator.max_iter, minimum=1)
    real("tol", estimator.tol, minimum=0.0)
    as_acceleration(estimator.acceleration)
    shrinkage(estimator.shrinkage)
    unlabeled_weight(estimator.unlabeled_weight)
    calibrate(estimator.calibrate)
    label_mechanism(estimator.label_mechanism, estimator.class_prior, estimator.n_novel_components)


def component_groups(components_per_class: Any, n_novel: Any, classes: Classes) -> NDArray[np.intp]:
    """Class index of each component, K for novel ones, (C,)."""
    counts = list(components(components_per_class, classes).values())
    integer("n_novel_components", n_novel, minimum=0)
    groups = np.repeat(np.arange(len(classes)), counts)
    return np.concatenate([groups, np.full(int(n_novel), len(classes))]).astype(np.intp)


def components(components_per_class: Any, classes: Classes) -> dict[Any, int]:
    """Number of components of each class."""
    if isinstance(components_per_class, Mapping):
        known = classes.tolist()
        stray = [key for key in components_per_class if key not in known]
        if stray:
            raise ParameterError(
                f"components_per_class names {stray!r}, which are not among the classes {known!r}."
            )
        counts = [components_per_class.get(label, 1) for label in known]
        for label, count in zip(known, counts, strict=True):
            integer(f"components_per_class of class {label!r}", count, minimum=1)
    else:
        counts = [integer("components_per_class", components_per_class, minimum=1)] * len(classes)
    return {label: int(count) for label, count in zip(classes.tolist(), counts, strict=True)}


def class_prior(value: Any, classes: Classes) -> ClassPrior:
    """The class prior of that name, or fixed class probabilities."""
    if isinstance(value, str):
        if value in ("shared", "unlabeled"):
            return ClassPrior(value)
        if value == "uniform":
            return ClassPrior("fixed", np.full(len(classes), 1.0 / len(classes)))
        raise ParameterError(
            f"class_prior={value!r} is not known: use 'shared', 'unlabeled', 'uniform', or {len(classes)} "
            "probabilities as an array, or by class as a dict or a series."
        )
    given = in_class_order("class_prior", value, classes)
    try:
        values = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):  # names
        values = np.empty(0)
    good = values.shape == (len(classes),) and np.isfinite(values).all() and (values > 0).all()
    if not good or abs(values.sum() - 1) > 1e-6:
        raise ParameterError(
            f"class_prior={value!r}: it needs one positive probability for each of the classes "
            f"{classes.tolist()!r} (an array: in that order), with sum 1."
        )
    return ClassPrior("fixed", values / values.sum())


def label_noise(value: Any, classes: Classes) -> LabelNoise | None:
    """The label noise matrix, or what to estimate it from; None where every label is right."""
    if value is None:
        return None
    n_classes = len(classes)
    if isinstance(value, str):
        if value != "estimate":
            raise ParameterError(
                f"label_noise={value!r} is not known: use None, 'estimate' or an array of shape "
                f"({n_classes}, {n_classes})."
            )
        wrong = (1.0 - LIKELY_RIGHT) / (n_classes - 1)
        return LabelNoise(np.where(np.eye(n_classes) > 0, LIKELY_RIGHT, wrong), estimated=True)
    given = in_class_order("label_noise", value, classes)
    try:
        matrix = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"label_noise is no {n_classes} × {n_classes} array: {error}.") from error
    if matrix.shape != (n_classes, n_classes) or not (np.isfinite(matrix).all() and (matrix >= 0).all()):
        raise ParameterError(
            f"label_noise of shape {matrix.shape}: it needs a row for each true class and a column for each "
            f"label, both in the order {classes.tolist()!r}, of probabilities."
        )
    if np.abs(matrix.sum(axis=1) - 1.0).max() > 1e-6 or not matrix.any(axis=0).all():
        raise ParameterError(
            f"label_noise has row sums {matrix.sum(axis=1).round(4).tolist()} and column sums "
            f"{matrix.sum(axis=0).round(4).tolist()}: each row, p(label | true class), sums to 1, and every "
            "label occurs in some class."
        )
    return LabelNoise(matrix / matrix.sum(axis=1, keepdims=True))


def label_mechanism(value: Any, class_prior: Any, n_novel: Any) -> bool:
    """Whether missing labels are modeled; the other settings have to leave p(y) the same in both parts."""
    if value is None:
        return False
    if not (isinstance(value, str) and value == "entropy"):
        raise ParameterError(f"label_mechanism={value!r} is not known: use None or 'entropy'.")
    if isinstance(class_prior, str) and class_prior == "unlabeled":
        raise ParameterError(
            "label_mechanism='entropy' says that labels are missing because of x, class_prior='unlabeled' "
            "because of the class: use one of them."
        )
    if n_novel:
        raise ParameterError(
            "label_mechanism='entropy' goes by how hard the known classes are to tell apart, and rows of "
            f"n_novel_components={n_novel!r} never have a label: use one of them."
        )
    return True


def shrinkage(value: Any) -> float | None:
    """Pseudo-rows, or None for the family's own choice."""
    if is_auto(value):
        return None
    return real("shrinkage", value, minimum=0.0, more="'auto' or ")


def unlabeled_weight(value: Any) -> float | None:
    """λ, or None where it is left to the labels."""
    if is_auto(value):
        return None
    return real("unlabeled_weight", value, minimum=0.0, maximum=1.0, more="'auto' or ")


def calibrate(value: Any) -> float | None:
    """The power of the posterior, or None where it is left to the labels."""
    if is_auto(value):
        return None
    return real("calibrate", value, minimum=0.01, more="'auto' or ")


def lower_shape(covariance: Any) -> Any:
    """The covariance at the lower level of what is left to labels or to a criterion."""
    chosen = isinstance(covariance, str) and covariance in ("auto", *CRITERIA)
    return "full" if chosen else covariance


def leaves_shape_open(family: Any, covariance: Any) -> bool:
    """Whether labels may choose the covariance: no family was given as an object that has one."""
    given = family.values() if isinstance(family, Mapping) else (family,)
    return is_auto(covariance) and not any(isinstance(one, Family) for one in given)


def is_auto(value: Any) -> bool:
    """Whether a setting is left to the labels or to the family."""
    return isinstance(value, str) and value == "auto"
