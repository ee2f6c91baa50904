"""FlowGMM: an invertible flow onto a Gaussian mixture per class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from semigen import columns
from semigen.arrays.special import log_posterior
from semigen.columns import Schema
from semigen.common import checks
from semigen.common.progress import Progress
from semigen.data.labels import Labels
from semigen.deep.classifier import DeepClassifier, rows_to_start_from
from semigen.deep.data import tables
from semigen.deep.data.labels import class_prior, split_rows
from semigen.deep.data.rows import ROWS_PER_BLOCK, TableRows, training_rows
from semigen.deep.draws import draw_classes, drawing
from semigen.deep.estimator import Array
from semigen.deep.flow.model import ClassFlow, FlowArchitecture
from semigen.deep.flow.start import start_components, whitening
from semigen.deep.labelers import FROM_LABELS, LABELERS
from semigen.deep.parameters import hidden_sizes
from semigen.deep.training.trainer import Training
from semigen.estimators.base import KeepsPrecision
from semigen.exceptions import ColumnError

LEAST_SD = {**dict.fromkeys(LABELERS, 0.3), FROM_LABELS: 0.5}
"""The smallest sd of a component at each start, in standard deviations of a column, or of a direction within
classes."""


class FlowMixtureClassifier(KeepsPrecision, DeepClassifier, TransformerMixin, BaseEstimator):
    """A normalizing flow onto a Gaussian mixture per class (FlowGMM, Izmailov et al. 2020).

    An invertible network z = f(x) makes each class k a mixture of Gaussians with diagonal covariances,

    ``p(x, k) = p(k) Σ_m π_km N(f(x); μ_km, diag σ²_km) |det ∂f/∂x|``,

    so densities and class probabilities are exact. The fit maximizes, per unit of weight,

    ``[Σ_labeled w log p(x, y) + λ Σ_unlabeled w log Σ_k p(x, k)] / total weight
    − α · mean_labeled [−log p(y | x)]``.

    This objective has many local maxima, most of which give dense regions the wrong class; which one is found
    depends on the start. So the unlabeled rows first get labels ŷ in one of three ways: from the labeled rows
    along dense regions, so that labels meet where rows are sparse
    (:func:`semigen.deep.labelers.grow_labels`), by label spreading over nearest rows
    (:func:`semigen.deep.labelers.spread_labels`), or from one Gaussian per class
    (:func:`semigen.deep.labelers.mixture_labels`). f starts as a linear map, after which rows vary alike in
    all directions within these classes; it stays the first layer. The components start as a Gaussian mixture
    of the rows of each class. During the warm-up an unlabeled row contributes
    ``(1 − t) log p(x) + t log p(x, ŷ) ≤ log p(x)``, where t falls from 1 to 0; afterwards only the likelihood
    counts, and a row may change its class.

    All columns must be numbers. Columns of whole numbers are dequantized: each step of training adds uniform
    noise as wide as one unit, so that the density at a whole number stands for its probability. Columns that
    are all from 0 to 1, as pixels are, share one scale; others are standardized. Missing values and
    categories are refused, because the flow cannot transform them.

    Parameters
    ----------
    components_per_class : int, default=8
        Gaussian components of each class in latent space.
    n_transforms : int, default=4
        Coupling layers of the flow.
    bins : int, default=8
        Bins of each spline.
    hidden : int or tuple of int, default=(64, 64)
        Number of units of each hidden layer of a coupling layer's network.
    start : {"auto", "density", "spreading", "mixture", "labels"}, default="auto"
        How unlabeled rows get ŷ. "auto": the way of the three that calls most labeled rows right that are
        held out of it. "labels": the components start from the labeled rows alone, f as the identity, and
        there is no warm-up.
    noise : float, default=0.03
        Standard deviation of the Gaussian noise added to other columns in training, in standard deviations of
        the column. It bounds the density at repeated rows.
    alpha : float, default=1.0
        Weight of the mean cross-entropy of the labeled rows, relative to the mean log-likelihood per row.
    class_prior, unlabeled_weight, calibrate, unlabeled
        As in :class:`VAEClassifier`.
    warmup_steps : int, default=200
        Optimizer steps over which t falls linearly from 1 to 0.
    n_steps : int, default=600
    balanced_batches, batch_size, learning_rate, weight_average, n_jobs, device, checkpoint
        As in :class:`VAEClassifier`.
    patience : int or None, default=3
        As in :class:`VAEClassifier`. Of a few hundred rows a flow learns by heart what it can: without early
        stopping it ends far from new rows.
    n_members : int, default=1
        Flows of a deep ensemble, trained at once from different seeds. The model is their mixture with equal
        weights, so a member counts more for rows that it finds more probable.
    random_state : int, RandomState or None, default=None
        The same number gives the same result on the same device.
    verbose : int, default=0

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
    class_prior_ : ndarray of shape (K,)
    unlabeled_weight_, calibration_, comparison_, verdict_, explanation_
        As in :class:`VAEClassifier`.
    start_ : {"density", "spreading", "mixture", "labels"}
        The start of the fit; "labels" also where no unlabeled row counts.
    history_ : dict {str: ndarray}
        At each report: "step", and the means since the last one, nats per row of standardized columns, of
        "log_joint" and "cross_entropy" of labeled rows, and of "log_density" and the "entropy" of p(y | x) of
        unlabeled ones.
    n_steps_ : int
    outcome_ : {"finished", "no improvement", "not finite", "interrupted"}
    schema_ : Schema
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (D,)
        Only for data frames with text names.

    References
    ----------
    Izmailov, P., Kirichenko, P., Finzi, M. & Wilson, A. G. (2020). Semi-supervised learning with normalizing
    flows. *ICML*. Theirs has one Gaussian with a fixed mean per class, and a consistency penalty in place of
    our start.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import make_moons
    >>> from semigen.deep import FlowMixtureClassifier
    >>> X, truth = make_moons(300, noise=0.05, random_state=0)
    >>> y = np.full(300, -1)
    >>> y[[0, 1, 2, 5]] = truth[[0, 1, 2, 5]]
    >>> clf = FlowMixtureClassifier(n_steps=50, random_state=0).fit(X, y)
    >>> clf.score(X, truth)
    1.0
    """

    precision = "float32"  # not a parameter: splines need its digits
    least_agreement = None  # from the labels alone flows are far worse

    def __init__(
        self,
        components_per_class: int = 8,
        *,
        n_transforms: int = 4,
        bins: int = 8,
        hidden: Any = (64, 64),
        start: str = "auto",
        noise: float = 0.03,
        alpha: float = 1.0,
        class_prior: Any = "labeled",
        unlabeled_weight: Any = "auto",
        calibrate: Any = "auto",
        unlabeled: Any = -1,
        warmup_steps: int = 200,
        n_steps: int = 600,
        balanced_batches: bool = False,
        batch_size: int = 200,
        learning_rate: float = 3e-3,
        weight_average: float = 0.99,
        patience: int | None = 3,
        n_members: int = 1,
        n_jobs: int | None = None,
        device: str = "auto",
        checkpoint: Any = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.components_per_class = components_per_class
        self.n_transforms = n_transforms
        self.bins = bins
        self.hidden = hidden
        self.start = start
        self.noise = noise
        self.alpha = alpha
        self.class_prior = class_prior
        self.unlabeled_weight = unlabeled_weight
        self.calibrate = calibrate
        self.unlabeled = unlabeled
        self.warmup_steps = warmup_steps
        self.n_steps = n_steps
        self.balanced_batches = balanced_batches
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_average = weight_average
        self.patience = patience
        self.n_members = n_members
        self.n_jobs = n_jobs
        self.device = device
        self.checkpoint = checkpoint
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = False
        return tags

    def _read(self, X: Any) -> tuple[tables.Table, Any]:
        kinds = ("number", "count", "flag")
        table, matrix = tables.learn(X, dict.fromkeys(kinds, "gaussian"), shared_scale=True)
        _refuse_categories(table.schema)
        columns.refuse_missing(table.schema, matrix, _CURE)
        return table, matrix

    def _learn(
        self,
        X: Any,
        labels: Labels,
        weight: Array,
        training: Training,
        lam: float,
        progress: Progress | None,
    ) -> None:
        alpha = checks.real("alpha", self.alpha, minimum=0.0)
        noise = checks.real("noise", self.noise, minimum=0.0)
        table, matrix = self._read(X)
        split = split_rows(labels, weight, lam)
        x, code, kept = rows_to_start_from(table, matrix, split, training.seed)
        guess, turn = None, None
        if self.start_ == FROM_LABELS:
            x, code = x[code >= 0], code[code >= 0]
        else:
            code = LABELERS[self.start_](x, code, None)
            guess = np.full(len(split.code) + len(split.unlabeled), -1)
            guess[kept] = code
            guess = guess[len(split.code) :]
            turn = whitening(x, code)
        labeled = training_rows(table, matrix, split.labeled, split.code, split.weight)
        unlabeled = training_rows(table, matrix, split.unlabeled, guess, split.unlabeled_weight)
        is_whole = np.ones(matrix.shape[1], dtype=bool)
        for i in range(0, len(matrix), ROWS_PER_BLOCK):
            block = matrix[i : i + ROWS_PER_BLOCK]
            is_whole &= (block == np.rint(block)).all(axis=0)
        del matrix  # rows hold what they need of it
        architecture = FlowArchitecture(
            table,
            np.log(class_prior(self.class_prior, split)),
            spread=np.where(is_whole, 0.0, noise),
            width=np.where(is_whole, 1.0 / table.scale, 0.0),
            n_components=checks.integer("components_per_class", self.components_per_class, minimum=1),
            n_transforms=checks.integer("n_transforms", self.n_transforms, minimum=1),
            bins=checks.integer("bins", self.bins, minimum=2),
            hidden=hidden_sizes("hidden", self.hidden),
            least_sd=LEAST_SD[self.start_],
            turned=turn is not None,
            labeled_share=split.labeled_share,
            alpha=alpha,
            warmup_steps=0 if self.start_ == FROM_LABELS else self.warmup_steps,
        )

        def start_model(model: ClassFlow, seed: int) -> None:
            seen = x if turn is None else x @ turn
            n_classes, n_components = len(split.classes), architecture.n_components
            components = start_components(
                seen, code, n_classes, n_components, least_sd=architecture.least_sd, seed=seed
            )
            model.start_at(components, turn)

        self._train(architecture, training, labeled, unlabeled, start_model, progress)
        self.schema_ = table.schema
        self.classes_ = split.classes

    def log_joint(self, X: Any) -> Array:
        """Log p(x, class), nats per unit of the columns, exact, (n, K), in the order of ``classes_``."""
        joint = self._member_joint(X)
        return np.asarray(np.logaddexp.reduce(joint, axis=0) - np.log(len(joint)))

    def score_samples(self, X: Any) -> Array:
        """Log p(x), nats per unit of the columns, exact, (n,)."""
        return np.asarray(np.logaddexp.reduce(self.log_joint(X), axis=1))

    def transform(self, X: Any) -> Array:
        """Latents f(x), those of each member in turn, (n, members · D)."""
        latents = np.hstack(list(self._ask(X, lambda model, x: model.latents(x)[0])))
        return columns.in_precision_of(X, latents)

    def sample(self, n: int = 1, y: Any = None, random_state: Any = None) -> tuple[Any, NDArray[Any]]:
        """Draw rows from the model.

        Parameters
        ----------
        n : int, default=1
        y : class or None
            Class of the rows; None: draw classes from ``class_prior_``.
        random_state : int, RandomState or None

        Returns
        -------
        X : ndarray or data frame of shape (n, D)
            Columns of whole numbers are rounded; counts are at least 0, and flags 0 or 1.
        y : ndarray of shape (n,)
        """
        check_is_fitted(self)
        checks.integer("n", n, minimum=1)
        table = self.networks_.architecture.table
        with drawing(random_state):
            code = draw_classes(n, y, self.classes_, self.class_prior_)
            x = self.networks_.draw(n, lambda model, which: model.sample(code[which]))
        architecture: Any = self.networks_.architecture
        whole = architecture.width > 0
        matrix = table.matrix(x)
        matrix[:, whole] = np.rint(matrix[:, whole])
        for j, kind in enumerate(table.schema.kinds):
            if kind != "number":
                matrix[:, j] = np.clip(matrix[:, j], 0, 1 if kind == "flag" else None)
        return columns.restore(self.schema_, matrix), self.classes_[code.numpy()]

    @property
    def class_prior_(self) -> Array:
        """p(y), (K,)."""
        check_is_fitted(self)
        return np.asarray(np.exp(self.networks_.architecture.log_prior))

    def _as_rows(self, matrix: Any) -> TableRows:
        columns.refuse_missing(self.networks_.architecture.table.schema, matrix, _CURE)
        return super()._as_rows(matrix)

    def _ask(self, X: Any, question: Callable[[ClassFlow, Tensor], Tensor]) -> Array:
        """Each member's answers about rows, (members, n, …)."""
        check_is_fitted(self)
        return self.networks_.ask_each(self._rows(X), lambda model, block: question(model, block.x))

    def _member_joint(self, X: Any) -> Array:
        """Log p(x, class) of each member, per unit of the columns, (members, n, K)."""
        joint = self._ask(X, lambda model, x: model.log_joint(x).T)
        return np.asarray(joint - np.log(self.networks_.architecture.table.scale).sum())

    def _member_proba(self, X: Any) -> tuple[Array, Array]:
        # a member counts by its share of p(x)
        joint, prior = self._member_joint(X), np.log(self.class_prior_)
        member = np.exp(log_posterior(np.logaddexp.reduce(joint, axis=2).T, np.zeros(len(joint)))).T
        return self.calibration_(np.stack([np.exp(log_posterior(one, prior)) for one in joint])), member


_CURE = (
    "a flow needs every value: impute them, drop the column, or use VAEClassifier, which leaves missing "
    "values out of the likelihood"
)


def _refuse_categories(schema: Schema) -> None:
    named = [repr(schema.name(j)) for j, kind in enumerate(schema.kinds) if kind == "category"]
    if named:
        raise ColumnError(
            f"column(s) {', '.join(named[:5])}{' …' if len(named) > 5 else ''} are categories, and a flow "
            "takes numbers only.",
            "Drop them, encode them as ordered numbers, or use VAEClassifier, which has a likelihood for "
            "them.",
        )
