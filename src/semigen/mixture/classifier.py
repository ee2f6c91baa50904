"""The mixture classifier: one estimator for every classical generative model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from semigen import columns
from semigen.columns import Schema
from semigen.columns.streams import ReadSource, refuse_missing_rows
from semigen.em import (
    Blocks,
    Engine,
    Fit,
    LabelMechanism,
    Level,
    Mixture,
    as_engine,
    fit_levels,
    mechanism,
    refined,
    warn_unless_converged,
)
from semigen.em import fit as climb
from semigen.estimators.base import TableClassifier
from semigen.families import as_modeled, choose, wanted_kinds
from semigen.mixture import evidence, parameters, selection, streamed
from semigen.mixture.checkpoints import Checkpoint
from semigen.mixture.fitted import FittedMixture, missing_refused
from semigen.mixture.online import OnlineMixture
from semigen.mixture.proportions import ClassProportions, class_proportions
from semigen.mixture.searching import search
from semigen.mixture.warm import LastFit
from semigen.mixture.watching import Watch


class MixtureClassifier(OnlineMixture, FittedMixture, TableClassifier, BaseEstimator):
    """A mixture per class, learned by EM from labeled and unlabeled rows.

    The model is ``p(x, y) = p(y) Σ_{c of class y} p(c | y) p(x | c)``; the fit maximizes

    ``[Σ_labeled w log p(x, y) + λ Σ_unlabeled w log Σ_y p(x, y) + log prior] / total weight``

    over the rows with weights w (Nigam et al. 2000, *Machine Learning* 39:103, eq. 8, who introduce λ;
    Dempster, Laird & Rubin 1977). Unlabeled rows help where the model's assumptions roughly hold and can hurt
    where they do not, so by default labeled rows that a fit has not seen choose λ, the covariance, and how
    sure posteriors may be.

    Parameters
    ----------
    family : str, Family or dict {column or kind: str or Family}, default="auto"
        Distribution of a component: "gaussian", "student_t", "von_mises_fisher", "poisson",
        "negative_binomial", "bernoulli", "categorical" or "multinomial" for all columns; or a dict from
        column names (numbers, for an array) or kinds of columns to these, whose blocks of columns are
        independent given the component. "auto" goes by the kinds: numbers and counts are Gaussian (one
        block with the covariance below), flags Bernoulli, categories categorical; a sparse matrix is one of
        documents, multinomial. Missing values drop out of the likelihood.
    covariance : str or Covariance, default="auto"
        Covariance of Gaussian and Student-t components: "full", "tied", "diag", "spherical", "low_rank"
        (``semigen.families.Diag(floor=0.03)`` for pixels).
        "auto": full or tied, by the log-loss of labeled rows left out; full where none can be, with
        ``shrinkage=0``, and where the family is given as an object. Or the criterion that chooses among all
        shapes: "bic", "icl" or "cv".
    shrinkage : "auto" or float, default="auto"
        Strength of the conjugate prior in pseudo-rows. For a Gaussian or Student t they have the covariance
        that all components share, which is fitted first, with pseudo-rows of its own that spread in each
        column as labeled classes do. "auto" is the family's own choice: 4 D (full, low_rank; of D columns
        that vary) or 8 (diag, spherical), for what is shared D + 2 or 4. A number is for both levels. 0 is
        maximum likelihood (covariances then keep eigenvalues of at least 1e-6 of the columns' variances).
    components_per_class : int, dict {class: int} or {"bic", "icl", "cv"}, default=1
        Components of each class; classes absent from the dict have one. Or the criterion that finds them:
        the Bayesian information criterion, the integrated completed likelihood, or the log-loss of labeled
        rows in cross-validation.
    n_novel_components : int, default=0
        Components that belong to no known class, for unlabeled rows of unknown classes. Predictions cover the
        known classes only; :meth:`novel_probability` says how probably a row belongs to none of them.
        These components start at random: use ``n_init`` of 5 or more.
    class_prior : {"shared", "unlabeled", "uniform"}, array (K,) or dict {class: share}, default="shared"
        p(y). "shared": learned from both parts. "unlabeled": the unlabeled rows have class proportions of
        their own, learned from them and used to predict; the labeled rows' proportions say nothing about
        them. "uniform", or an array (in the order of ``classes_``), dict or series (by class): fixed.
    calibrate : "auto" or float, default="auto"
        How sure ``predict_proba`` is. A number: the power of the model's posterior; 1 is its own, which is
        mostly too sure. "auto": p(class | x) ∝ π p(x | class)^a, where π are the class shares that the labels
        suggest (with ``class_prior`` other than "shared" the model's), averaged over powers a as probable as
        labeled rows left out make them. ``log_joint`` and densities do not depend on it.
    label_noise : array of shape (K, K), "estimate" or None, default=None
        T[k, j] = p(label j | true class k) where labels may be wrong, in the order of ``classes_`` (a frame
        of pandas: by its names); rows sum to 1. "estimate" learns T, from 0.9 on the diagonal, with a prior
        that counts as ten labels of each class, nine of them right. None: every label is right.
    label_mechanism : {"entropy"} or None, default=None
        Why labels are missing. None: completely at random. "entropy": whether a row is unlabeled depends on
        the uncertainty of its class, P(unlabeled | x) = logistic(ξ₀ + ξ₁ log(H + 10⁻⁴)) with H the entropy
        of p(class | x), and its log likelihood is added to the objective (Ahfock & McLachlan 2020,
        *Statistics and Computing* 30:1779).
    unlabeled_weight : "auto" or float in [0, 1], default="auto"
        λ: how much an unlabeled row counts. 0 is supervised learning. "auto": the λ with which all unlabeled
        rows count as much as the labeled ones, or 1 or 0 where labeled rows left out speak for it by two
        nats; 1 where the question is about unlabeled rows (``class_prior="unlabeled"``, novel components, a
        label mechanism, a criterion).
    unlabeled : scalar or None, default=-1
        The marker in y. None, NaN and NA always count as unlabeled. None here turns the marker off.
    n_init : int, default=1
        Number of starts; the fit with the best objective is kept. The first start uses the labeled rows, the
        others add a random half of the unlabeled rows, each with the class of its nearest labeled row.
        Of more than 1,000,000 unlabeled rows, fits of 100,000 beside all labeled ones are the starts.
    max_iter : int, default=200
        At most this many EM iterations per start.
    tol : float, default=1e-6
        Stop when the objective rises by less, nats per row.
    acceleration : {"auto", "anderson", "squarem"} or None, default=None
        Extrapolate the steps of EM (:mod:`semigen.em.acceleration`). "auto" needs less than half as many
        passes over the rows where classes overlap (``benchmarks/speed/acceleration.md``); the objective never
        falls, but with many maxima may end in another one. None: plain EM.
    warm_start : bool, default=False
        Go on from where the last ``fit`` of this object ended, with the λ and covariance that "auto" chose
        there; ``n_init`` is then ignored. On the same rows two fits with ``max_iter=1`` end at the parameters
        of one with ``max_iter=2``. Other classes, columns, components or class priors are refused. The fit
        starts afresh if a criterion chooses the model, or a component of the last fit has no weight.
    random_state : int, RandomState or None, default=None
        Used for starts with several components per class or novel components, and for restarts.
    checkpoint : path or None, default=None
        A folder, made if need be, for how far a fit has come: what is interrupted goes on from there when the
        same fit is called again, to the same parameters. A checkpoint of other rows or parameters is refused.
    engine : Engine, "dask", "torch" or None, default=None
        Where blocks of rows are computed, in ``fit`` and afterwards. None: threads, one for each processor;
        "dask": the workers of the current client (:class:`semigen.engines.DaskEngine`); "torch": a GPU where
        there is one (:class:`semigen.engines.TorchEngine`);
        ``semigen.em.ThreadEngine(n_threads=1)`` takes one. Results do not depend on it.
    verbose : int or None, default=None
        1 prints the objective every 10 iterations, 0 is silent; None: a terminal says how far it is.

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
    class_proportions_ : ClassProportions or None
        With class_prior="unlabeled": class shares of unlabeled rows, with 95 % profile likelihood intervals.
    label_noise_ : ndarray of shape (K, K) or None
        p(label | true class).
    label_mechanism_ : LabelMechanism or None
        ξ₀, ξ₁, and the likelihood ratio test of labels that are missing completely at random.
    objective_ : float
        Mean objective, nats per row.
    objective_path_ : ndarray of shape (``n_iter_ + 1``,)
    n_iter_ : int
    converged_ : bool
    shrinkage_ : float
        Pseudo-rows used; a tuple, one for each block of columns, where there are several.
    unlabeled_weight_ : float
        λ used.
    calibration_ : Calibration
        What ``predict_proba`` makes of p(x | class), by ``powers``, their ``chances`` and class ``shares``.
    posterior_power_ : float
    component_parameters_ : dict
        All parameters of p(x | component) by name.
    mixture_ : semigen.em.Mixture
    params_ : semigen.em.Params
        The model and its parameters as the functions of :mod:`semigen.em` take them.
    selection_ : tuple of Candidate, or None
        The models that a criterion compared, the best first.
    schema_ : Schema
        Names, kinds and levels of the columns.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (D,)
        Only for data frames with text names. Data frames to predict are read by these names.
    feature_kinds_ : list of str
        "number", "count", "flag" or "category" for each column.
    silent_columns_ : ndarray of int
        Columns of the matrix that X becomes without a value in any row that counts: they change no answer.

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
        covariance: Any = "auto",
        shrinkage: Any = "auto",
        components_per_class: Any = 1,
        n_novel_components: int = 0,
        class_prior: Any = "shared",
        calibrate: Any = "auto",
        label_noise: Any = None,
        label_mechanism: Any = None,
        unlabeled_weight: Any = "auto",
        unlabeled: Any = -1,
        n_init: int = 1,
        max_iter: int = 200,
        tol: float = 1e-6,
        acceleration: str | None = None,
        warm_start: bool = False,
        random_state: Any = None,
        checkpoint: Any = None,
        engine: Engine | str | None = None,
        verbose: int | None = None,
    ) -> None:
        self.family = family
        self.covariance = covariance
        self.shrinkage = shrinkage
        self.components_per_class = components_per_class
        self.n_novel_components = n_novel_components
        self.class_prior = class_prior
        self.calibrate = calibrate
        self.label_noise = label_noise
        self.label_mechanism = label_mechanism
        self.unlabeled_weight = unlabeled_weight
        self.unlabeled = unlabeled
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.acceleration = acceleration
        self.warm_start = warm_start
        self.random_state = random_state
        self.checkpoint = checkpoint
        self.engine = engine
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Learn from labeled and unlabeled rows.

        Parameters
        ----------
        X : array, sparse matrix or data frame of shape (n, D), or RowSource
            float32 stays float32. NaN, None and NA are missing values. A table larger than memory
            (:func:`semigen.data.from_files`) is read in every iteration; an array may be memory-mapped.
        y : array-like of shape (n,) or (n, K), or None
            Labels with markers, or label probabilities / candidate sets over K classes; None for a source,
            which has them.
        sample_weight : array-like of shape (n,) or None
            Row weights ≥ 0; a row of weight 2 counts as two rows, a row of weight 0 not at all.

        Returns
        -------
        self
        """
        if hasattr(self, "stream_"):
            del self.stream_  # partial_fit begins anew
        self._fit(X, y, sample_weight)
        return self

    def _fit(self, X: Any, y: Any, sample_weight: Any) -> Level:
        """The fit that is kept, with its prior."""
        parameters.check(self)
        criterion = selection.criterion(self.components_per_class, self.covariance)
        X = streamed.surveyed(self, X, y, sample_weight)
        schema, rows = self._read(X, y, sample_weight)
        kept = Checkpoint.of(self, X, rows)
        before = None if criterion else self._last_fit(schema, rows)
        self.schema_ = schema
        validate_data(self, streamed.shown(X), skip_check_array=True)
        weights = self._candidate_weights(rows, criterion, before)
        watch = Watch(self.verbose, len(weights))
        run = watch.each(climb if kept is None else kept)
        covariance, components = self.covariance, self.components_per_class
        self.selection_: tuple[selection.Candidate, ...] | None = None
        if criterion is not None:
            self.selection_ = search(self, criterion, rows, weights[0], (X, y, sample_weight), run)
            best_one = self.selection_[0]
            covariance, components = best_one.covariance, best_one.components_per_class
        fits = evidence.for_each(
            weights, lambda one: watch.done(self._learn(rows, one, covariance, components, before, run))
        )
        shape_open = before is None and parameters.leaves_shape_open(self.family, covariance)
        judged = len(fits) > 1 or shape_open or parameters.calibrate(self.calibrate) is None
        shrinkage = parameters.shrinkage(self.shrinkage)
        with as_engine(self.engine).open() as engine:
            best = evidence.choose(
                rows, fits, shrinkage, engine, shape_open=shape_open, judged=judged, on_fold=watch.left_out
            )
            data = rows.weighted(best.unlabeled_weight)
            level = best.level
            if best.is_upper:
                level = refined(level, data, engine, run=run, **self._stopping)
        self.unlabeled_weight_ = best.unlabeled_weight
        self.schema_ = as_modeled(level.mixture.family, self.schema_)
        found = self._explain(level.mixture, level.prior, data, level.fit)
        self._store(level.mixture, level.prior, found, data.labels.classes)
        self._assume(best.evidence.calibration)
        watch.end()
        warn_unless_converged(found, self.tol)
        evidence.warn_if_novelty_is_silent(level.mixture, found.params, rows)
        if kept is not None:
            kept.forget()
        return replace(level, fit=found)

    def _read(self, X: Any, y: Any, sample_weight: Any) -> tuple[Schema, Blocks]:
        """Validated rows with their own weights, and labels."""
        if isinstance(X, ReadSource):
            return X.schema, X.rows
        kinds = wanted_kinds(self.family, parameters.lower_shape(self.covariance))
        schema, matrix = columns.learn(X, kinds, sparse=True, words=True)
        return schema, self._with_labels(X, matrix, y, sample_weight)

    def _last_fit(self, schema: Schema, rows: Blocks) -> LastFit | None:
        """The fit to go on from, if there is one; it must have been about the same things."""
        if not (self.warm_start and hasattr(self, "params_")):
            return None
        last = LastFit(self.mixture_, self.params_, self.schema_, self.classes_, self.unlabeled_weight_)
        mixture = self._mixture(schema, rows, self.covariance, self.components_per_class, last)
        last.refuse_others(mixture, as_modeled(mixture.family, schema), rows.labels.classes)
        return last if last.alive else None

    def _candidate_weights(self, rows: Blocks, criterion: str | None, before: LastFit | None) -> list[float]:
        """The values of λ to try. What is asked about unlabeled rows is asked about all of them."""
        given = parameters.unlabeled_weight(self.unlabeled_weight)
        if given is not None:
            return [given]
        if before is not None:
            return [before.unlabeled_weight]
        of_own_shares = isinstance(self.class_prior, str) and self.class_prior == "unlabeled"
        about_all = criterion or of_own_shares or self.label_mechanism or self.n_novel_components
        return [1.0] if about_all else evidence.candidate_weights(rows)

    def _mixture(
        self, schema: Schema, rows: Blocks, covariance: Any, components: Any, before: LastFit | None
    ) -> Mixture:
        """The structure to fit; that of the fit before where its covariance was left to the labels."""
        family = choose(self.family, parameters.lower_shape(covariance), schema, sparse=rows.is_sparse)
        if before is not None and before.is_upper and parameters.leaves_shape_open(self.family, covariance):
            family = family.pooled()
        classes = rows.labels.classes
        return Mixture(
            family,
            parameters.component_groups(components, self.n_novel_components, classes),
            len(classes),
            parameters.class_prior(self.class_prior, classes),
            parameters.label_noise(self.label_noise, classes),
        )

    def _learn(
        self,
        rows: Blocks,
        weight: float,
        covariance: Any,
        components: Any,
        before: LastFit | None = None,
        run: Callable[..., Fit] = climb,
    ) -> tuple[Level, ...]:
        """Fit one structure from ``n_init`` starts, or from where the fit before ended."""
        mixture = self._mixture(self.schema_, rows, covariance, components, before)
        if not mixture.family.accepts(rows.missing):
            refuse_missing_rows(self.schema_, rows, missing_refused(mixture.family))
        with self.schema_.naming(), as_engine(self.engine).open() as engine:
            return fit_levels(
                mixture,
                rows.weighted(weight),
                engine,
                np.random.default_rng(check_random_state(self.random_state).randint(2**31)),
                shrinkage=parameters.shrinkage(self.shrinkage),
                n_init=self.n_init,
                before=None if before is None else before.params,
                **self._stopping,
                on_iteration=evidence.report(weight) if self.verbose else None,
                run=run,
            )

    @property
    def _stopping(self) -> dict[str, Any]:
        return {"max_iter": self.max_iter, "tol": self.tol, "acceleration": self.acceleration}

    def _explain(self, mixture: Mixture, prior: Any, data: Blocks, found: Fit) -> Fit:
        """Fit the label mechanism and the class proportions, where they are asked for."""
        self.class_proportions_: ClassProportions | None = None
        self.label_mechanism_: LabelMechanism | None = None
        with as_engine(self.engine).open() as engine:
            self.silent_columns_ = evidence.silent_columns(data, engine)
            if self.label_mechanism is not None:
                found, self.label_mechanism_ = mechanism.fit(
                    mixture, prior, data, found, engine, max_iter=self.max_iter, tol=self.tol
                )
            if mixture.class_prior.kind == "unlabeled":
                self.class_proportions_ = class_proportions(mixture, prior, data, found.params, engine)
        return found

    def _store(self, mixture: Mixture, prior: Any, result: Fit, classes: NDArray[Any]) -> None:
        self.classes_ = classes
        self.mixture_ = mixture
        self.params_ = result.params
        self.shrinkage_ = prior.strength
        self.objective_path_ = result.path
        self.objective_ = result.objective
        self.n_iter_ = result.n_iter
        self.converged_ = result.converged
