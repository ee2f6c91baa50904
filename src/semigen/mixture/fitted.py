"""What a fitted mixture answers: classes, densities, samples, missing values, criteria."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from semigen import columns
from semigen.arrays.special import beyond_numbers, class_evidence, log_sum_exp
from semigen.columns import Schema
from semigen.common import checks
from semigen.common.notices import warn
from semigen.data.labels import encode
from semigen.data.sources import classes, numbers, over_partitions, probabilities
from semigen.data.weights import read_labels
from semigen.em import Block, Data, Engine, Mixture, Params, as_engine, impute, log_joint
from semigen.em.kernel import label_evidence
from semigen.evaluation.calibration import Calibration
from semigen.exceptions import ColumnWarning, ParameterError
from semigen.families import Family
from semigen.mixture import criteria, evidence, parameters

Array = NDArray[np.float64]


def missing_refused(family: Family) -> str:
    """What to do where a family that cannot have missing values meets some."""
    return f"The family {family.name!r} cannot have any: fill them in first."


class FittedMixture:
    """The part of :class:`MixtureClassifier` that only reads the records of a fit.

    Probabilities and densities of an array in float32 are rounded to float32, as scikit-learn's are.
    """

    classes_: NDArray[Any]
    mixture_: Mixture
    params_: Params
    schema_: Schema
    unlabeled: Any
    unlabeled_weight_: float
    calibrate: Any
    calibration_: Calibration
    silent_columns_: NDArray[np.intp]
    engine: Engine | str | None

    @over_partitions(classes)
    def predict(self, X: Any) -> NDArray[Any]:
        """Most probable known class of each row, (n,): that of :meth:`predict_proba`."""
        check_is_fitted(self)
        best = self._by_block(X, partial(_most_probable, self.calibration_))
        return np.asarray(self.classes_[best])

    @over_partitions(probabilities)
    def predict_proba(self, X: Any, labels: Any = None) -> Array:
        """p(class | x) over the known classes, as sure as ``calibration_`` lets them be.

        Times p(label | class) where something is known of the rows, normalized.

        Parameters
        ----------
        X : array or data frame of shape (n, D)
        labels : optional
            What is known of each row's class, in any form that ``y`` has in ``fit``: classes, soft labels
            p(label | class) (n, K), candidates; an unlabeled row has p(class | x).

        Returns
        -------
        ndarray of shape (n, K)

        Raises
        ------
        LabelError
            If the labels cannot be used, or name a class that the fit did not know.
        """
        if labels is None:
            check_is_fitted(self)
            return columns.in_precision_of(X, self._by_block(X, partial(_proba, self.calibration_)))
        log_proba = self._log_proba(X)
        every = np.ones(len(log_proba), dtype=bool)
        given = encode(labels, self.unlabeled, counted=every, classes=self.classes_)
        known = label_evidence(self.params_.noise, given.log_table, given.pattern_labeled)
        return columns.in_precision_of(X, softmax(log_proba + known[given.pattern], axis=1))

    @over_partitions(probabilities)
    def predict_log_proba(self, X: Any) -> Array:
        """Log of :meth:`predict_proba`, (n, K)."""
        return columns.in_precision_of(X, self._log_proba(X))

    def log_joint(self, X: Any) -> Array:
        """Log p(x, class), nats, (n, K)."""
        return columns.in_precision_of(X, self._by_block(X, _known))

    @over_partitions(numbers)
    def score_samples(self, X: Any) -> Array:
        """Log p(x), novel components included, nats, (n,)."""
        return columns.in_precision_of(X, self._by_block(X, _log_density))

    def novel_probability(self, X: Any) -> Array:
        """p(row belongs to a novel component | x), (n,); 0 without novel components."""
        return columns.in_precision_of(X, self._by_block(X, evidence.novel_probability))

    def sample(self, n: int = 1, y: Any = None, random_state: Any = None) -> tuple[Any, NDArray[Any]]:
        """Draw rows from the model.

        Parameters
        ----------
        n : int, default=1
        y : class or None
            Draw rows of this class; None draws classes from ``class_prior_``. Novel components are left out.
        random_state : int, RandomState or None

        Returns
        -------
        X : ndarray or data frame of shape (n, D)
            A data frame of the library that the model was fitted with, if it was fitted on one. Values of
            ``silent_columns_`` are missing.
        y : ndarray of shape (n,)
        """
        check_is_fitted(self)
        checks.integer("n", n, minimum=1)
        rng = np.random.default_rng(check_random_state(random_state).randint(2**31))
        probability = self.weights_
        allowed = self.mixture_.group < self.mixture_.n_classes
        if y is not None:
            known = self.classes_.tolist()
            if y not in known:
                raise ParameterError(f"y={y!r} is not among the classes {known!r}.")
            allowed = self.mixture_.group == known.index(y)
            probability = np.exp(self.params_.log_within)
        probability = np.where(allowed, probability, 0.0)
        components = rng.choice(len(probability), size=n, p=probability / probability.sum())
        rows = self._silenced(self.mixture_.family.sample(self.params_.family, components, rng))
        return columns.restore(self.schema_, rows), self.classes_[self.mixture_.group[components]]

    def impute(self, X: Any, *, n_draws: int | None = None, random_state: Any = None) -> Any:
        """Fill missing values in from the observed values; the others stay as they are.

        Parameters
        ----------
        X : array or data frame of shape (n, D)
        n_draws : int or None, default=None
            None: one table with conditional means, and modes for flags and categories. A number: so many
            tables whose missing values are drawn from p(missing | observed), for multiple imputation.
        random_state : int, RandomState or None
            For the draws.

        Returns
        -------
        table, or list of ``n_draws`` tables
            Arrays, or data frames of the library that the model was fitted with. Text, dates and
            ``silent_columns_`` stay as they are.
        """
        matrix = self._read_rows(X)
        rng = np.random.default_rng(check_random_state(random_state).randint(2**31))
        if n_draws is not None:
            checks.integer("n_draws", n_draws, minimum=1)
            return [columns.restore(self.schema_, self._filled(matrix, rng), like=X) for _ in range(n_draws)]
        return columns.restore(self.schema_, self._filled(matrix, None), like=X)

    def _filled(self, matrix: Any, rng: np.random.Generator | None) -> Any:
        missing = columns.missing_columns(matrix)
        if missing is None:
            return matrix
        filled = impute(self.mixture_, self.params_, Data.unlabeled(self._silenced(matrix), missing), rng)
        filled[:, self.silent_columns_] = matrix[:, self.silent_columns_]
        return filled

    def aic(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """Akaike's information criterion, ``-2 log L + 2 n_free``; lower is better.

        L is that of :meth:`bic`. Akaike (1974), *IEEE Transactions on Automatic Control* 19:716.
        """
        rows = self._scored(X, y, sample_weight)
        return criteria.aic(self.mixture_, self.params_, rows, as_engine(self.engine))

    def bic(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """Bayesian information criterion, ``-2 log L + n_free log n``; lower is better.

        L has the labeled rows' p(x, y) and the unlabeled rows' p(x), with λ as fitted; n is the total
        weight. So compare fits with one ``unlabeled_weight``: "auto" may choose another for each of them.
        Schwarz (1978), *Annals of Statistics* 6:461.
        """
        rows = self._scored(X, y, sample_weight)
        return criteria.bic(self.mixture_, self.params_, rows, as_engine(self.engine))

    def icl(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """Integrated completed likelihood: BIC plus twice the entropy of the unknown components.

        Biernacki, Celeux & Govaert (2000), *IEEE PAMI* 22:719.
        """
        rows = self._scored(X, y, sample_weight)
        return criteria.icl(self.mixture_, self.params_, rows, as_engine(self.engine))

    @property
    def weights_(self) -> Array:
        """p(component), (C,), sum 1."""
        check_is_fitted(self)
        return np.asarray(np.exp(self.params_.log_within + self.params_.log_group[0][self.mixture_.group]))

    @property
    def label_noise_(self) -> Array | None:
        """p(label j | true class k), (K, K); None where every label was taken to be right."""
        check_is_fitted(self)
        return self.params_.noise

    @property
    def posterior_power_(self) -> float:
        """The geometric mean of the powers of ``calibration_``."""
        check_is_fitted(self)
        return self.calibration_.power

    @property
    def class_prior_(self) -> Array:
        """p(class) among known classes, (K,)."""
        check_is_fitted(self)
        known = np.exp(self.params_.log_group[0, : self.mixture_.n_classes])
        return np.asarray(known / known.sum())

    @property
    def component_class_(self) -> NDArray[np.intp]:
        """Index into ``classes_`` of each component, -1 for a novel one, (C,)."""
        check_is_fitted(self)
        group = self.mixture_.group
        return np.where(group < self.mixture_.n_classes, group, -1)

    @property
    def means_(self) -> Array:
        """Component means in the columns' units, (C, D)."""
        return self._summary("mean")

    @property
    def covariances_(self) -> Array:
        """Component covariances, whatever their shape, as matrices, (C, D, D)."""
        return self._summary("covariance")

    @property
    def precisions_(self) -> Array:
        """Inverses of the component covariances, (C, D, D)."""
        return np.asarray(np.linalg.inv(self.covariances_))

    @property
    def component_parameters_(self) -> dict[str, Any]:
        """All parameters of p(x | component) by name; axis 0 of each array is the component."""
        check_is_fitted(self)
        return self.mixture_.family.summary(self.params_.family)

    @property
    def feature_kinds_(self) -> list[str]:
        """What each column was read as: a kind of :func:`semigen.columns.learn`, or "not used"."""
        check_is_fitted(self)
        kinds = self.schema_.input_kinds
        names = getattr(self, "feature_names_in_", kinds)
        return [kinds.get(name, "not used") for name in names]

    def _summary(self, name: str) -> Array:
        summary = self.component_parameters_
        if name not in summary:
            raise AttributeError(f"components of the family {self.mixture_.family.name!r} have no {name}")
        return np.asarray(summary[name])

    def _scored(self, X: Any, y: Any, sample_weight: Any) -> Data:
        """Rows to compute a criterion on, with the classes of the fit."""
        rows = self._with_labels(X, self._matrix(X), y, sample_weight, self.classes_)
        return rows.weighted(self.unlabeled_weight_)

    def _with_labels(
        self, X: Any, matrix: Any, y: Any, sample_weight: Any, classes: NDArray[Any] | None = None
    ) -> Data:
        labels, weight = read_labels(y, self.unlabeled, sample_weight, X, classes)
        missing = columns.missing_columns(matrix)
        if missing is not None and missing.all():
            says_nothing = ~labels.is_labeled & np.isnan(matrix).all(axis=1)
            weight = np.where(says_nothing, 0.0, weight)  # its log p(x) is 0, but it would count in "per row"
        return Data(matrix, labels, weight, missing)

    def _matrix(self, X: Any) -> Any:
        """Rows as densities read them."""
        return self._silenced(self._read_rows(X))

    def _silenced(self, matrix: Any) -> Any:
        """The rows without the values of columns that say nothing."""
        if self.silent_columns_.size:
            matrix = matrix.copy()
            matrix[:, self.silent_columns_] = np.nan
        return matrix

    def _read_rows(self, X: Any) -> Any:
        check_is_fitted(self)
        matrix = columns.read_like(self, X, sparse=self.mixture_.family.takes_sparse)
        family = self.mixture_.family
        if not (family.takes_missing or family.accepts(columns.missing_columns(matrix))):
            columns.refuse_missing(self.schema_, matrix, missing_refused(self.mixture_.family))
        return matrix

    def _log_proba(self, X: Any) -> Array:
        check_is_fitted(self)
        return self._by_block(X, partial(_log_proba, self.calibration_))

    def _assume(self, calibration: Calibration | None = None, count: Array | None = None) -> None:
        """How sure predictions are and the class shares that they assume, after parameters have changed.

        ``calibration`` is what labels left out say, by default that of before; ``count``, (K,), the labels of
        each class, if there are others.
        """
        power = parameters.calibrate(self.calibrate)
        if power is not None:
            self.calibration_ = Calibration.of_posterior(power, self.class_prior_)
            return
        known = self.calibration_ if calibration is None else calibration
        if count is not None or self.mixture_.class_prior.kind != "shared":
            known = replace(known, shares=evidence.shares_of(self.mixture_, self.params_, count))
        self.calibration_ = known

    def _by_block(self, X: Any, answer: Answer) -> NDArray[Any]:
        """``answer`` of log p(x, group), block by block: no more memory than its result."""
        matrix = self._matrix(X)
        rows = Data.unlabeled(matrix, columns.missing_columns(matrix))
        of_block = partial(_answer, answer, self.mixture_, self.params_)
        return np.concatenate(as_engine(self.engine).map_blocks(of_block, rows))


_BEYOND = (
    "X has rows whose numbers are so large that the density of every class is 0: they get the "
    "class shares. If such numbers mark missing values (1e36, -3.4e38), write NaN for them."
)

Answer = Callable[[Array, Array, int], NDArray[Any]]
"""What is said of rows, from log p(x, group) (n, G), log p(group) (G,) and the number of known classes K."""


def _answer(answer: Answer, mixture: Mixture, params: Params, block: Block) -> NDArray[Any]:
    return answer(log_joint(mixture, params, block), params.log_group[0], mixture.n_classes)


def _known(joint: Array, _: Array, n_classes: int) -> Array:
    return joint[:, :n_classes]


def _proba(calibration: Calibration, joint: Array, log_group: Array, n_classes: int) -> Array:
    return calibration.of_evidence(_evidence(joint, log_group, n_classes))


def _log_proba(calibration: Calibration, joint: Array, log_group: Array, n_classes: int) -> Array:
    return calibration.log_of_evidence(_evidence(joint, log_group, n_classes))


def _most_probable(
    calibration: Calibration, joint: Array, log_group: Array, n_classes: int
) -> NDArray[np.intp]:
    return np.asarray(_proba(calibration, joint, log_group, n_classes).argmax(axis=1))


def _evidence(joint: Array, log_group: Array, n_classes: int) -> Array:
    if beyond_numbers(joint).any():
        warn(_BEYOND, ColumnWarning)
    return class_evidence(joint[:, :n_classes], log_group[:n_classes])


def _log_density(joint: Array, *_: Any) -> Array:
    return np.asarray(log_sum_exp(joint.T))
