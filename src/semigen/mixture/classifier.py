"""The mixture classifier: one estimator for every classical generative model."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from semigen import labels as label_reader
from semigen.arrays.special import log_sum_exp
from semigen.columns import column_kinds, to_matrix
from semigen.em import Data, Engine, Fit, Mixture, ThreadEngine, fit, log_joint, start
from semigen.exceptions import ConvergenceWarning, ParameterError
from semigen.families import as_family
from semigen.metrics import accuracy_score
from semigen.mixture import criteria, parameters

Array = NDArray[np.float64]


class MixtureClassifier(ClassifierMixin, BaseEstimator):
    """Classes as mixtures of densities, learned by EM from labelled and unlabelled rows.

    The model is ``p(x, y) = p(y) Σ_{c of class y} p(c | y) p(x | c)``; the fit maximises

    ``[Σ_labelled w log p(x, y) + λ Σ_unlabelled w log Σ_y p(x, y) + log prior] / total weight``

    over the rows with weights w (Nigam et al. 2000, *Machine Learning* 39:103, eq. 8, who introduce λ;
    Dempster, Laird & Rubin 1977). Unlabelled rows help where the classes are about as the model says and
    can hurt where they are not: compare with ``unlabeled_weight=0`` on the labelled rows.

    Parameters
    ----------
    family : {"auto", "gaussian"} or Family, default="auto"
        Distribution of a component. "auto" is Gaussian.
    covariance : {"full", "tied", "diag", "spherical", "low_rank"} or Covariance, default="full"
        Covariance of Gaussian components.
    shrinkage : "auto" or float, default="auto"
        Strength of the conjugate prior in pseudo-rows, which spread half as wide in each column as all rows.
        "auto" is D + 2 for full, tied and low_rank, 4 for diag and spherical. 0 is maximum likelihood
        (covariances then keep eigenvalues of at least 1e-6 of the columns' variances, 1e-4 in float32).
    components_per_class : int or dict {class: int}, default=1
        Components of each class; classes absent from the dict have one.
    n_novel_components : int, default=0
        Components that belong to no known class, for unlabelled rows of unknown kinds. Predictions are
        about known classes only; :meth:`novelty` says how likely a row is of another kind. Where these
        components start is chance: use ``n_init`` of 5 or more.
    class_prior : {"shared", "unlabeled", "uniform"} or array of shape (K,), default="shared"
        p(y). "shared": learned from both parts. "unlabeled": the unlabelled rows have class proportions of
        their own, learned from them and used to predict; the labelled rows' proportions say nothing about
        them. "uniform" or an array (in the order of ``classes_``): fixed.
    unlabeled_weight : float in [0, 1], default=1.0
        λ: how much an unlabelled row counts. 0 is supervised learning.
    unlabeled : scalar or None, default=-1
        The marker in y. None, NaN and NA always count as unlabelled. None here turns the marker off.
    n_init : int, default=1
        Starts; the best objective wins. The first is from the labelled rows, the others add a random half
        of the unlabelled rows, each as one of the class of its nearest labelled row.
    max_iter : int, default=200
        At most this many EM iterations a start.
    tol : float, default=1e-6
        Stop when the objective rises by less, nats per row.
    random_state : int, RandomState or None, default=None
        For starts with several components a class, novel components, and restarts.
    verbose : int, default=0
        1 prints the objective every 10 iterations.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
    class_prior_ : ndarray of shape (K,)
        p(y) used to predict.
    component_class_ : ndarray of shape (C,)
        Index into ``classes_`` of each component; -1 for a novel one.
    weights_ : ndarray of shape (C,)
        p(component), sum 1.
    means_ : ndarray of shape (C, D)
    covariances_ : ndarray of shape (C, D, D)
    objective_ : float
        Mean objective, nats per row.
    objective_path_ : ndarray of shape (``n_iter_ + 1``,)
    n_iter_ : int
    converged_ : bool
    shrinkage_ : float
        Pseudo-rows used.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (D,)
        Only for data frames with text names.
    feature_kinds_ : list of str, or None
        "number" or "flag" for each column of a data frame; None for an array.

    Raises
    ------
    LabelError, ColumnError, ParameterError
        All are ValueErrors; see :mod:`semigen.exceptions`.

    Examples
    --------
    >>> import numpy as np, semigen
    >>> X = np.array([[0.0], [0.2], [0.1], [3.0], [3.1], [2.9], [0.15], [3.2]])
    >>> y = np.array(["low", None, None, "high", None, None, None, None])
    >>> clf = semigen.MixtureClassifier().fit(X, y)
    >>> clf.predict([[0.3], [2.5]]).tolist()
    ['low', 'high']
    >>> clf.predict_proba([[0.3]]).shape
    (1, 2)
    """

    def __init__(
        self,
        family: Any = "auto",
        *,
        covariance: Any = "full",
        shrinkage: Any = "auto",
        components_per_class: Any = 1,
        n_novel_components: int = 0,
        class_prior: Any = "shared",
        unlabeled_weight: float = 1.0,
        unlabeled: Any = -1,
        n_init: int = 1,
        max_iter: int = 200,
        tol: float = 1e-6,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.family = family
        self.covariance = covariance
        self.shrinkage = shrinkage
        self.components_per_class = components_per_class
        self.n_novel_components = n_novel_components
        self.class_prior = class_prior
        self.unlabeled_weight = unlabeled_weight
        self.unlabeled = unlabeled
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Learn from labelled and unlabelled rows.

        Parameters
        ----------
        X : array or data frame of shape (n, D)
            Numbers; float32 stays float32.
        y : array-like of shape (n,) or (n, K)
            Labels with markers, or label probabilities / candidate sets over K classes.
        sample_weight : array-like of shape (n,) or None
            Row weights ≥ 0; a row of weight 2 counts as two rows, a row of weight 0 not at all.

        Returns
        -------
        self
        """
        family = as_family(self.family, self.covariance)
        strength = parameters.shrinkage(self.shrinkage)
        unlabeled_weight = parameters.real("unlabeled_weight", self.unlabeled_weight, minimum=0, maximum=1)
        parameters.integer("n_init", self.n_init, minimum=1)
        parameters.integer("max_iter", self.max_iter, minimum=1)
        parameters.real("tol", self.tol, minimum=0.0)
        data = self._data(X, y, sample_weight, unlabeled_weight)

        classes = data.labels.classes
        mixture = Mixture(
            family,
            parameters.component_groups(self.components_per_class, self.n_novel_components, classes),
            len(classes),
            parameters.class_prior(self.class_prior, classes),
        )
        rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31))
        with ThreadEngine() as engine:
            used = data.used
            prior = family.fit_prior(data.x, data.weight, strength, lambda f: engine.map_rows(f, used))
            fits = [
                self._fit_once(attempt, mixture, prior, data, engine, rng) for attempt in range(self.n_init)
            ]
        self._store(mixture, prior, max(fits, key=lambda one: one.objective), classes)
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """Most probable known class of each row, (n,)."""
        best = self._by_block(X, lambda joint: joint[:, : len(self.classes_)].argmax(axis=1))
        return np.asarray(self.classes_[best])

    def predict_proba(self, X: Any) -> Array:
        """p(class | x) over the known classes, (n, K)."""
        return self._by_block(X, lambda joint: np.exp(self._log_posterior(joint)))

    def predict_log_proba(self, X: Any) -> Array:
        """Log p(class | x) over the known classes, (n, K)."""
        return self._by_block(X, self._log_posterior)

    def log_joint(self, X: Any) -> Array:
        """Log p(x, class), nats, (n, K)."""
        return self._by_block(X, lambda joint: joint[:, : len(self.classes_)])

    def score_samples(self, X: Any) -> Array:
        """Log p(x), novel components included, nats, (n,)."""
        return self._by_block(X, lambda joint: log_sum_exp(joint.T))

    def novelty(self, X: Any) -> Array:
        """p(row belongs to a novel component | x), (n,); 0 without novel components."""

        def share(joint: Array) -> Array:
            if joint.shape[1] == len(self.classes_):
                return np.zeros(len(joint))
            return np.asarray(np.exp(joint[:, -1] - log_sum_exp(joint.T)))

        return self._by_block(X, share)

    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """Accuracy on the labelled rows of (X, y); unlabelled rows do not count."""
        return accuracy_score(y, self.predict(X), sample_weight=sample_weight, unlabeled=self.unlabeled)

    def sample(self, n: int = 1, y: Any = None, random_state: Any = None) -> tuple[Array, NDArray[Any]]:
        """Draw rows from the model.

        Parameters
        ----------
        n : int, default=1
        y : class or None
            Draw rows of this class; None draws classes from ``class_prior_``. Novel components are left out.
        random_state : int, RandomState or None

        Returns
        -------
        X : ndarray of shape (n, D)
        y : ndarray of shape (n,)
        """
        check_is_fitted(self)
        parameters.integer("n", n, minimum=1)
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
        X = self.mixture_.family.sample(self.params_.family, components, rng)
        return X, self.classes_[self.mixture_.group[components]]

    def bic(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """Bayesian information criterion, ``-2 log L + n_free log n``; lower is better.

        L has the labelled rows' p(x, y) and the unlabelled rows' p(x), with λ as fitted; n is the total
        weight. Schwarz (1978), *Annals of Statistics* 6:461.
        """
        return criteria.bic(self.mixture_, self.params_, self._scored(X, y, sample_weight))

    def icl(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """Integrated completed likelihood: BIC plus twice the entropy of the unknown components.

        Biernacki, Celeux & Govaert (2000), *IEEE PAMI* 22:719.
        """
        return criteria.icl(self.mixture_, self.params_, self._scored(X, y, sample_weight))

    @property
    def weights_(self) -> Array:
        """p(component), (C,), sum 1."""
        check_is_fitted(self)
        return np.asarray(np.exp(self.params_.log_within + self.params_.log_group[0][self.mixture_.group]))

    @property
    def class_prior_(self) -> Array:
        """p(class) among known classes, (K,), used to predict."""
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
        return self._moments()[0]

    @property
    def covariances_(self) -> Array:
        """Component covariances, whatever their shape, as matrices, (C, D, D)."""
        return self._moments()[1]

    def _moments(self) -> tuple[Array, Array]:
        check_is_fitted(self)
        return self.mixture_.family.moments(self.params_.family)

    def _data(self, X: Any, y: Any, sample_weight: Any, unlabeled_weight: float) -> Data:
        """Validated rows, labels and effective weights."""
        matrix = to_matrix(X)
        validate_data(self, X, skip_check_array=True)
        self.feature_kinds_ = column_kinds(X)
        return self._with_labels(matrix, y, sample_weight, unlabeled_weight)

    def _scored(self, X: Any, y: Any, sample_weight: Any) -> Data:
        """Rows to compute a criterion on, with the classes of the fit."""
        check_is_fitted(self)
        unlabeled_weight = float(self.unlabeled_weight)
        return self._with_labels(self._matrix(X), y, sample_weight, unlabeled_weight, self.classes_)

    def _with_labels(
        self,
        matrix: NDArray[Any],
        y: Any,
        sample_weight: Any,
        unlabeled_weight: float,
        classes: NDArray[Any] | None = None,
    ) -> Data:
        weight = label_reader.check_weights(sample_weight, len(matrix))
        labels = label_reader.encode(y, self.unlabeled, counted=weight > 0, classes=classes)
        return Data(matrix, labels, np.where(labels.is_labeled, weight, unlabeled_weight * weight))

    def _matrix(self, X: Any) -> NDArray[Any]:
        check_is_fitted(self)
        matrix = to_matrix(X)
        validate_data(self, X, skip_check_array=True, reset=False)
        return matrix

    def _by_block(self, X: Any, function: Callable[[Array], NDArray[Any]]) -> NDArray[Any]:
        """``function`` of log p(x, group), block by block: no more memory than its result."""
        matrix = self._matrix(X)

        def block(rows: NDArray[np.intp]) -> Array:
            return function(log_joint(self.mixture_, self.params_, matrix, rows))

        return np.concatenate(ThreadEngine().map_rows(block, np.arange(len(matrix))))

    def _log_posterior(self, joint: Array) -> Array:
        known = joint[:, : len(self.classes_)]
        return np.asarray(known - log_sum_exp(known.T)[:, None])

    def _fit_once(
        self, attempt: int, mixture: Mixture, prior: Any, data: Data, engine: Engine, rng: np.random.Generator
    ) -> Fit:
        params = start(mixture, prior, data, engine, rng, perturb=attempt > 0)
        report = self._report(attempt) if self.verbose else None
        return fit(
            mixture, prior, data, params, engine, max_iter=self.max_iter, tol=self.tol, on_iteration=report
        )

    def _store(self, mixture: Mixture, prior: Any, result: Fit, classes: NDArray[Any]) -> None:
        self.classes_ = classes
        self.mixture_ = mixture
        self.params_ = result.params
        self.shrinkage_ = prior.strength
        self.objective_path_ = result.path
        self.objective_ = result.objective
        self.n_iter_ = result.n_iter
        self.converged_ = result.converged
        if not result.converged and self.max_iter > 1:
            warnings.warn(
                f"EM stopped after {result.n_iter} iterations while the objective still rose by "
                f"{result.path[-1] - result.path[-2]:.2g} nats per row (tol={self.tol:g}): raise max_iter, "
                "raise tol, or raise shrinkage.",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _report(self, attempt: int) -> Callable[[int, float], None]:
        def report(iteration: int, objective: float) -> None:
            if iteration == 1 or iteration % 10 == 0:
                print(f"start {attempt + 1}  iteration {iteration}  objective {objective:.6f} nats per row")

        return report
