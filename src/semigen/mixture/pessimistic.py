"""A mixture classifier that no labeling of the unlabeled rows makes worse than its supervised fit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import clone

from semigen.common.notices import warn
from semigen.data.blocks import Missing, among
from semigen.em import Data, Fit, Mixture, as_engine, pessimistic
from semigen.em import fit as climb
from semigen.em.pessimistic import Pessimistic
from semigen.exceptions import ConvergenceWarning, LabelError, ParameterError
from semigen.families import (
    Bernoulli,
    Categorical,
    Diag,
    Family,
    Full,
    Gaussian,
    Multinomial,
    Poisson,
    Product,
    Spherical,
    Tied,
)
from semigen.mixture.classifier import MixtureClassifier

# families whose natural parameters make complete rows' likelihood concave, and whose M-step is its maximum
CONCAVE = (Bernoulli, Categorical, Multinomial, Poisson)
CONCAVE_SHAPES = (Full, Tied, Diag, Spherical)


def fit_pessimistic(
    estimator: Any, X: Any, y: Any, sample_weight: Any = None
) -> tuple[MixtureClassifier, Pessimistic]:
    """The estimator fitted by maximum contrastive pessimistic likelihood, and what is guaranteed.

    See :func:`semigen.em.pessimistic.fit`. Unlabeled rows count in full, and the prior is the supervised
    fit's: its location and scale come from the labeled rows.

    Parameters
    ----------
    estimator : MixtureClassifier
        Its ``unlabeled_weight`` does not count; ``max_iter`` is the most labelings that are tried. It is
        cloned.
    X, y, sample_weight
        As in :meth:`MixtureClassifier.fit`.

    Returns
    -------
    model : MixtureClassifier
        With ``unlabeled_weight`` 1, and the objective of that; 0 where the supervised fit is returned.
    found : Pessimistic
        Its ``labels`` are those of all rows, (n, K); labeled rows as they are labeled.

    Raises
    ------
    ParameterError
        If complete rows do not have a likelihood that is concave in the parameters.
    LabelError
        If a class has no labeled row, or labels are soft.
    """
    _check_settings(estimator)
    model = clone(estimator).set_params(unlabeled_weight=0.0, warm_start=False)
    level = model._fit(X, y, sample_weight)
    mixture, prior, classes = level.mixture, level.prior, model.classes_
    everything = model._with_labels(X, model._matrix(X), y, sample_weight, classes)
    _check_rows(mixture, everything)
    with as_engine(model.engine).open() as engine:
        found = pessimistic.fit(
            mixture, prior, everything, model.params_, engine, max_iter=model.max_iter, tol=model.tol
        )
        if found.gain > 0:
            at_end = climb(mixture, prior, everything, found.params, engine, max_iter=0)
            model.set_params(unlabeled_weight=1.0)
            model.unlabeled_weight_ = 1.0
            model._store(mixture, prior, Fit(found.params, at_end.path, found.converged), classes)
            model._assume()
    labels = everything.labels.probabilities
    labels[everything.where(~everything.labels.pattern_labeled).rows] = found.labels
    model.set_params(warm_start=estimator.warm_start)
    if not found.converged:
        warn(
            f"after {found.n_iter} labelings the fit guarantees a gain of {found.gain:.3g} nats per row, "
            f"and parameters may exist that guarantee {found.gap:.2g} more: raise max_iter or shrinkage.",
            ConvergenceWarning,
        )
    return model, replace(found, labels=labels)


def _check_settings(estimator: Any) -> None:
    """Refuse estimators that model more than rows with their classes."""
    if not isinstance(estimator, MixtureClassifier):
        raise ParameterError(
            f"the estimator is a {type(estimator).__name__}, and pessimistic=True needs a "
            "semigen.MixtureClassifier: leave pessimistic out."
        )
    for name in ("label_noise", "label_mechanism", "n_novel_components"):
        seen = getattr(estimator, name)
        if not (seen is None or (np.isscalar(seen) and seen == 0)):
            raise ParameterError(f"{name}={seen!r} does not go with pessimistic=True: leave it out.")
    if isinstance(estimator.class_prior, str) and estimator.class_prior == "unlabeled":
        raise ParameterError(
            "class_prior='unlabeled' does not go with pessimistic=True, which labels the unlabeled rows: "
            "use 'shared', 'uniform' or an array."
        )


def _check_rows(mixture: Mixture, data: Data) -> None:
    """Refuse rows and structures without a concave likelihood of complete rows."""
    classes = data.labels.classes.tolist()
    if mixture.n_components > mixture.n_classes:
        raise ParameterError(
            f"{mixture.n_components} components for {mixture.n_classes} classes: pessimistic=True needs "
            "components_per_class=1, because which component a labeled row belongs to is not known."
        )
    stuck = _not_concave(mixture.family, data.missing)
    if stuck is not None:
        raise ParameterError(
            f"pessimistic=True cannot have {stuck}: its guarantee is for Gaussians (covariance full, tied, "
            "diag or spherical, no missing values), Bernoulli, categorical, multinomial and Poisson columns."
        )
    counts, code = data.weight > 0, data.labels.hard
    soft = np.flatnonzero(counts & data.labels.is_labeled & (code < 0))
    if soft.size:
        raise LabelError(
            f"{soft.size} row(s) have soft or candidate labels, the first is row {soft[0]}: "
            "pessimistic=True needs one class or no label for each row."
        )
    nameless = np.setdiff1d(np.arange(len(classes)), code[counts])
    if nameless.size:
        raise LabelError(
            f"class {classes[nameless[0]]!r} has no labeled row, so there is no supervised fit to improve: "
            "label a row of it, or leave the class out."
        )


def _not_concave(family: Family, missing: Missing) -> str | None:
    """What stands in the way of a concave likelihood and an exact M-step, if anything does."""
    if isinstance(family, Product):
        found = (_not_concave(one, among(missing, list(columns))) for columns, one in family.blocks)
        return next((stuck for stuck in found if stuck is not None), None)
    if isinstance(family, Gaussian) and type(family.covariance) in CONCAVE_SHAPES:
        return None if family.reusable(missing) else "missing values (NaN) in Gaussian columns"
    if isinstance(family, Gaussian):
        return f"Gaussians of covariance {family.covariance.name!r}"
    return None if isinstance(family, CONCAVE) else f"the family {family.name!r}"
