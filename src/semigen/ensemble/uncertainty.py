"""Prediction sets and uncertainty of an ensemble: from held-out rows, and where its models disagree."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax
from sklearn.utils.validation import check_is_fitted

from semigen.ensemble.held_out import LEAST_SHARE, HeldOut
from semigen.ensemble.settle import shared_weights
from semigen.evaluation.conformal import HeldOutProbabilities, SetRule, set_rule
from semigen.evaluation.uncertainty import Uncertainty, disagreement
from semigen.exceptions import ParameterError

Array = NDArray[np.float64]


class Ensemble(Protocol):
    """What is asked of a fitted :class:`semigen.PoolClassifier`."""

    classes_: NDArray[Any]
    class_prior_: Array
    estimators_: dict[str, Any]
    held_out_: HeldOut
    ridge: float
    weights: Mapping[str, float] | None
    weights_: dict[str, float]

    def model_proba(self, X: Any) -> tuple[Array, Array]:
        """Probabilities (M, n, K) of each model that counts, and its share (M,)."""
        ...


class UncertainEnsemble:
    """The part of an ensemble that says how sure its predictions are."""

    classes_: NDArray[Any]
    class_prior: Any

    def predict_set(self, X: Any, coverage: float = 0.9, *, by_class: bool = False) -> NDArray[np.bool_]:
        """Which classes each row may have, (n, K): a share of ``coverage`` of these sets has the true one.

        A set has every class whose probability is at least a threshold, which is learned from the held-out
        labeled rows (:meth:`set_rule`). A set of several classes: the columns do not tell them apart. An
        empty set: no class is as probable as the true class of a held-out row usually is; with an accuracy
        above ``coverage`` some sets have to be empty.

        Parameters
        ----------
        X : array, sparse matrix or data frame of shape (n, D)
        coverage : float, default=0.9
            Above 0, at most 0.999.
        by_class : bool, default=False
            Cover the rows of each class alike: sets are larger, and rare classes are not forgotten. Else all
            rows together.

        Returns
        -------
        ndarray of shape (n, K), bool
            Columns in the order of ``classes_``.

        Raises
        ------
        ParameterError
            If ``coverage`` is out of bounds, or no labeled row could be held out in the fit.

        Notes
        -----
        New rows are taken to be drawn as the labeled ones were, except that the classes may have other shares
        (``class_prior``): the held-out rows are then weighted accordingly.
        """
        return self.set_rule(coverage, by_class=by_class).sets(self.predict_proba(X))

    def set_rule(self, coverage: float = 0.9, *, by_class: bool = False) -> SetRule:
        """How probable a class must be to be in a set of :meth:`predict_set`, and what this rests on.

        Parameters
        ----------
        coverage, by_class
            As in :meth:`predict_set`.

        Returns
        -------
        SetRule

        Raises
        ------
        ParameterError
            As :meth:`predict_set`.
        """
        check_is_fitted(self)
        shared = isinstance(self.class_prior, str) and self.class_prior == "shared"
        return set_rule(held_out_probabilities(self._ensemble(), shared), coverage, by_class=by_class)

    def predict_uncertainty(self, X: Any) -> Uncertainty:
        """How uncertain the class of each row is, and which part of that more labels would reduce, nats.

        Of the models with a weight, each as sure as the ensemble is: it is given the weights of all. The
        total is the entropy of their mean probabilities, the aleatoric part their mean entropy, and the
        epistemic part the rest, their disagreement.

        :meth:`predict_proba` is the geometric mean of the same models, which the sure ones lead, and so has
        less entropy than their mean: a little where the models are alike, a half or a third where one of them
        is much less sure than the others, as on counts and documents. Take the parts to compare rows, and the
        entropy of :meth:`predict_proba` for how sure a prediction is.

        Parameters
        ----------
        X : array, sparse matrix or data frame of shape (n, D)

        Returns
        -------
        Uncertainty
        """

        def parts(ensemble: Ensemble, rows: Any) -> Array:
            found = disagreement(*ensemble.model_proba(rows))
            return np.column_stack([found.aleatoric, found.epistemic])

        aleatoric, epistemic = self._by_blocks(parts, X).T
        return Uncertainty(aleatoric + epistemic, aleatoric, epistemic)

    def predict_proba(self, X: Any) -> Array:
        """Class probabilities, (n, K)."""
        raise NotImplementedError

    def _ensemble(self) -> Ensemble:
        """The models, their weights and what they predicted for held-out rows."""
        raise NotImplementedError

    def _by_blocks(self, answer: Callable[[Ensemble, Any], Array], X: Any) -> Array:
        """``answer`` of the ensemble and some of its rows, block by block."""
        raise NotImplementedError


def held_out_probabilities(ensemble: Ensemble, shared: bool) -> HeldOutProbabilities:
    """What the models that an ensemble keeps say about the rows that they were fitted without.

    With weights for each fold learned on the others, under the class shares that its predictions assume;
    where these are not those of the labels (``shared``), rows are weighted by the share of their class
    against that among the labels.

    Raises
    ------
    ParameterError
        If no row was held out.
    """
    held_out = ensemble.held_out_
    if not held_out.weight.any():
        raise ParameterError(
            "no labeled row was held out in the fit, so nothing says how sure the predictions are: label two "
            "rows or more of each class, or allow more time."
        )
    names = list(ensemble.estimators_)
    default = np.array([(ensemble.weights or {}).get(name, 1 / len(names)) for name in names])
    share = getattr(ensemble, "supervised_share_", None)
    if share is None:
        kept = np.array([ensemble.weights_[name] > 0 for name in names])
        start = default[kept] * default.sum() / max(default[kept].sum(), 1e-300)
        learn = partial(HeldOut.pool_weights, start=start, ridge=ensemble.ridge)
        log_probs = held_out.only(kept).crossfitted(learn)
    else:
        start = dict(zip(names, default.tolist(), strict=True))
        log_probs = held_out.crossfitted(shared_weights(start, ensemble.ridge, share))
    weight = held_out.weight
    if not shared:
        prior = ensemble.class_prior_
        labeled = weight @ held_out.class_shares / weight.sum()
        log_probs = log_softmax(log_probs - held_out.log_prior + np.log(prior), axis=1)
        weight = weight * (prior / np.maximum(labeled, LEAST_SHARE))[held_out.code]
    return HeldOutProbabilities(ensemble.classes_, held_out.code, weight, np.exp(log_probs))
