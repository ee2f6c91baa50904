"""Prediction sets of any classifier, by cross-validation."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from semigen.common.progress import Progress
from semigen.data.labels import encode
from semigen.evaluation.conformal import HeldOutProbabilities, SetRule, share_to_cover
from semigen.evaluation.conformal import set_rule as rule_of
from semigen.exceptions import ParameterError
from semigen.judgement.comparing import compare


def set_rule(
    estimator: Any,
    X: Any,
    y: Any,
    coverage: float = 0.9,
    *,
    by_class: bool = False,
    sample_weight: ArrayLike | None = None,
    n_splits: int = 5,
    random_state: Any = 0,
    unlabeled: Any = -1,
    n_jobs: int | None = 1,
    progress: Progress | None = None,
) -> SetRule:
    """How probable a class must be to be in a prediction set of any classifier.

    Clones are fitted without each fold of the labeled rows in turn, and the threshold is learned from what
    they say of the rows left out (:func:`semigen.evaluation.conformal.set_rule`), so no label is kept back
    from the classifier itself: ``rule.sets(estimator.predict_proba(X_new))``. An
    :class:`semigen.AutoClassifier` or :class:`semigen.PoolClassifier` has such rows from its own fit:
    its ``predict_set`` needs no further fits.

    Parameters
    ----------
    estimator : classifier or str
        One with ``predict_proba``, fitted or not, or a name, as :func:`semigen.compare` takes them.
    X : array-like, sparse matrix or data frame of shape (n, D)
    y : array-like of shape (n,) or (n, K)
        What the classifier is fitted on.
    coverage : float, default=0.9
        Share of the sets that should hold the true class; above 0, at most 0.999.
    by_class : bool, default=False
        Cover the rows of each class alike. A class with fewer than ``1 / (1 - coverage) - 1`` labels (9 at
        90 %) rests on its probabilities, too: :attr:`SetRule.caution` says so.
    sample_weight, n_splits, random_state, unlabeled, n_jobs, progress
        As in :func:`semigen.compare`.

    Returns
    -------
    SetRule

    Raises
    ------
    ParameterError
        If the estimator has no probabilities, or ``coverage`` is out of bounds.
    LabelError
        If y or the weights cannot be used, or fewer than two labeled rows can be held out.

    Notes
    -----
    Each label is judged by a clone that has seen the other folds only, as in the cross-conformal prediction
    of Vovk (2015), *Annals of Mathematics and Artificial Intelligence* 74:9. New rows are taken to be drawn
    as the labeled ones were.

    Examples
    --------
    >>> import semigen
    >>> from semigen.datasets import make_gaussian_classes
    >>> data = make_gaussian_classes(40, 400, distance=2, random_state=0)
    >>> mixture = semigen.MixtureClassifier().fit(data.X, data.y)
    >>> rule = semigen.set_rule(mixture, data.X, data.y, coverage=0.9)
    >>> rule.sets(mixture.predict_proba(data.X[:2])).shape
    (2, 2)
    """
    share_to_cover(coverage)  # before any fit
    compared = compare(
        [estimator],
        X,
        y,
        sample_weight=sample_weight,
        n_splits=n_splits,
        random_state=random_state,
        unlabeled=unlabeled,
        n_jobs=n_jobs,
        progress=progress,
    )
    labels = encode(y, unlabeled)
    if compared.probabilities is None:
        raise ParameterError("the comparison kept no probabilities.")
    rows = HeldOutProbabilities(
        labels.classes,
        labels.hard[compared.rows],
        compared.weight,
        compared.probabilities[compared.names[0]],
    )
    return rule_of(rows, coverage, by_class=by_class)
