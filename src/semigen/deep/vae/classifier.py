"""M2 and M1+M2: a variational autoencoder with the class as a latent variable."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from semigen import columns
from semigen.common import checks
from semigen.common.progress import Progress
from semigen.data.labels import Labels
from semigen.deep.classifier import DeepClassifier
from semigen.deep.data import tables
from semigen.deep.data.datasets import as_table
from semigen.deep.data.labels import class_prior, split_rows
from semigen.deep.data.rows import FeatureRows, Rows, TensorRows, training_rows
from semigen.deep.estimator import Array
from semigen.deep.training.trainer import Training
from semigen.deep.vae.estimator import VAEEstimator
from semigen.deep.vae.features import VAEFeatures, posterior_to_learn_from
from semigen.deep.vae.generation import Generation
from semigen.exceptions import ParameterError


class VAEClassifier(VAEEstimator, DeepClassifier, Generation, TransformerMixin, BaseEstimator):
    """M2: a variational autoencoder with the class as one of its latents (Kingma et al. 2014).

    The model is ``p(x, y) = p(y) ∫ p(x | y, z) N(z; 0, I) dz``: z describes how rows of one class differ. The
    fit maximizes, per unit of weight,

    ``[Σ_labeled w L(x, y) + λ Σ_unlabeled w U(x)] / total weight − α · mean_labeled [−log q(y | x)]``

    with ``L(x, y) = E_q(z|x,y)[log p(x | y, z)] + log p(y) − KL(q(z | x, y) ‖ p(z)) ≤ log p(x, y)`` and
    ``U(x) = Σ_y q(y | x) L(x, y) + H(q(y | x)) ≤ log p(x)``, summed over all y. Predictions are q(y | x).

    Parameters
    ----------
    features : VAEFeatures, other transformer or None, default=None
        M1+M2: M2 is fitted to these features, which are learned from all rows without labels. Each step of
        training draws new features of ``VAEFeatures`` from q(z | x); predictions use their means. A
        ``random_state`` of None is replaced by the classifier's seed.
    likelihood : str or dict {column or kind: str}, default="auto"
        p(value | y, z), as in :class:`VAEFeatures`. With ``features``, that of the features; those of
        ``VAEFeatures`` are always Gaussian.
    n_latent : int, default=20
    hidden : "auto", int or tuple of int, default="auto"
        "auto": two layers of four times as many units as inputs, from 100 to 300.
    network : {"mlp", "conv", "resnet"} or callable, default="mlp"
    image_shape : tuple of int or None, default=None
    alpha : float, default=10.0
        Weight of the mean cross-entropy of the labeled rows, relative to the mean bound per row.
    start : {"auto", "density", "spreading", "mixture", "labels"}, default="auto"
        How unlabeled rows get classes ŷ, as in :class:`FlowMixtureClassifier`. Their mean cross-entropy
        counts λ times that of the labeled rows, so that rows that are alike have one class. With
        ``VAEFeatures`` beneath, rows are alike in the columns that these see. "auto": the way that calls most
        held-out labels right, if that is more than half of what chance leaves. "labels": none.
    class_prior : {"labeled", "uniform"}, array (K,) or dict {class: share}, default="labeled"
        p(y). "labeled": the class shares that the labeled rows suggest
        (:func:`semigen.data.weights.estimated_shares`: nearly even ones where a few labels are uneven).
    unlabeled_weight : "auto" or float in [0, 1], default="auto"
        λ: weight of an unlabeled row relative to a labeled one. 0 is supervised learning. "auto": 1 or 0, as
        labeled rows that are held out decide; 1 if none can be. Where these do not tell, M2 has 0 if its fits
        with unlabeled rows and without agree on less than half of what chance leaves (κ < ½), else 1.
    calibrate : "auto" or float, default="auto"
        How sure predictions are: the power of what the network makes of the columns, beside the class shares
        (:class:`~semigen.evaluation.calibration.Calibration`). 1 is the network's own, which is far too sure
        after a few labels. "auto": the powers that the held-out rows ask for. Densities do not depend on it.
    unlabeled : scalar or None, default=-1
        Label that marks unlabeled rows. None, NaN and NA always do; with None, nothing else does.
    top_k : int or None, default=None
        Sum U over the k most probable classes of each row only, which is still a lower bound; saves time with
        many classes. None: all classes.
    beta, free_bits, n_pseudo_inputs
        As in :class:`VAEFeatures`.
    n_auxiliary : int, default=0
        Auxiliary variables (ADGM, Maaløe et al. 2016, *ICML*): p(x, y) is the same, q(z | x, y) and q(y | x)
        are more flexible. 0: M2.
    skip : bool, default=False
        SDGM of the same authors: the decoder sees the auxiliary variables, too, so p(x | y) is that of two
        layers of latents. Needs ``n_auxiliary``.
    augment : {None, "shift", "shift and flip"}, default=None
        How labeled images are changed at random, anew in each step, for the cross-entropy: shifted by up to
        an eighth of their sides, and mirrored. Needs ``image_shape``.
    n_steps : "auto" or int, default="auto"
        "auto": a hundred epochs, from 400 to 2,000 steps.
    warmup_steps, batch_size, learning_rate, weight_average, patience, n_jobs, device, precision, checkpoint
        As in :class:`VAEFeatures`. A batch has ``batch_size`` unlabeled rows and as many labeled ones, or all
        of them if there are fewer. Until the fit is whole, folds have checkpoints of their own beside it.
    balanced_batches : bool, default=False
        Whether the labeled part of a batch has as many rows of each class, those of small classes more than
        once; the means of the labeled terms are then over classes, too.
    n_members : int, default=1
        Models of a deep ensemble, trained at once from different seeds. Predictions are the mean of their
        probabilities, and :meth:`predict_uncertainty` measures their disagreement.
    random_state : int, RandomState or None, default=None
        The same number gives the same result on the same device.
    verbose : int, default=0

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
    class_prior_ : ndarray of shape (K,)
    features_ : fitted transformer
        Only with ``features``.
    start_ : {"density", "spreading", "mixture", "labels"}
        "labels" also where no unlabeled row counts.
    unlabeled_weight_ : float
        The λ of the fit.
    calibration_ : Calibration
        ``calibration_.power`` is the mean one of predictions.
    comparison_ : Comparison or None
        Log-loss and accuracy on held-out rows with the unlabeled rows (``"all rows"``), without them
        (``"labeled rows only"``) and of the class shares; None where nothing could or had to be held out.
    verdict_ : Verdict
        Whether the unlabeled rows helped; with ``features``, once these are learned from all rows.
    explanation_ : str
        What these labels say of the unlabeled rows, and of the model beside the class shares, in sentences.
    history_ : dict {str: ndarray}
        At each report: "step", and the means since the last one, nats per row, of "labeled_bound",
        "unlabeled_bound" and "cross_entropy", and for the unlabeled rows of the "kl" of their latents and the
        "entropy" of q(y | x); with ``top_k``, "log_mass", the log probability of the classes summed over.
    n_steps_ : int
    outcome_ : {"finished", "no improvement", "not finite", "interrupted"}
        Why training ended; with ``features``, "interrupted" also if Ctrl-C ended that of the features, after
        which the classifier is not trained.
    schema_ : Schema
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (D,)
        Only for data frames with text names.

    Examples
    --------
    >>> import numpy as np
    >>> from semigen.deep import VAEClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 3)) + np.repeat([[0.0], [4.0]], 100, axis=0)
    >>> y = np.full(200, None)
    >>> y[[3, 20, 120, 150]] = ["low", "low", "high", "high"]
    >>> clf = VAEClassifier(n_latent=2, hidden=20, n_steps=150, random_state=0).fit(X, y)
    >>> clf.predict([[0.3, 0.0, 0.1], [4.2, 3.8, 4.0]]).tolist()
    ['low', 'high']
    """

    def __init__(
        self,
        features: Any = None,
        *,
        likelihood: Any = "auto",
        n_latent: int = 20,
        hidden: Any = "auto",
        network: Any = "mlp",
        image_shape: Any = None,
        alpha: float = 10.0,
        class_prior: Any = "labeled",
        unlabeled_weight: Any = "auto",
        calibrate: Any = "auto",
        unlabeled: Any = -1,
        top_k: int | None = None,
        beta: float = 1.0,
        free_bits: float = 0.0,
        n_pseudo_inputs: int = 0,
        n_auxiliary: int = 0,
        skip: bool = False,
        augment: Any = None,
        start: str = "auto",
        warmup_steps: int = 0,
        n_steps: int | str = "auto",
        balanced_batches: bool = False,
        batch_size: int = 200,
        learning_rate: float = 1e-3,
        weight_average: float = 0.999,
        patience: int | None = None,
        n_members: int = 1,
        n_jobs: int | None = None,
        device: str = "auto",
        precision: str = "float32",
        checkpoint: Any = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.features = features
        self.likelihood = likelihood
        self.n_latent = n_latent
        self.hidden = hidden
        self.network = network
        self.image_shape = image_shape
        self.alpha = alpha
        self.class_prior = class_prior
        self.unlabeled_weight = unlabeled_weight
        self.calibrate = calibrate
        self.unlabeled = unlabeled
        self.top_k = top_k
        self.beta = beta
        self.free_bits = free_bits
        self.n_pseudo_inputs = n_pseudo_inputs
        self.n_auxiliary = n_auxiliary
        self.skip = skip
        self.augment = augment
        self.start = start
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
        self.precision = precision
        self.checkpoint = checkpoint
        self.random_state = random_state
        self.verbose = verbose

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
        if self.top_k is not None:
            checks.integer("top_k", self.top_k, minimum=1)
        table, matrix, sd = self._learn_columns(X)
        split = split_rows(labels, weight, lam)
        prior = class_prior(self.class_prior, split)
        architecture = self._architecture(
            table, np.log(prior), labeled_share=split.labeled_share, alpha=alpha, top_k=self.top_k
        )
        seen = (table, matrix) if self.features is None else None
        guess = self._guess(lambda: seen or self._read(X), split, training.seed)[len(split.code) :]
        labeled, unlabeled = (
            training_rows(table, matrix, rows, code, weight, sd)
            for rows, code, weight in (
                (split.labeled, split.code, split.weight),
                (split.unlabeled, guess, split.unlabeled_weight),
            )
        )
        del matrix, sd  # rows hold what they need of them
        self._train_from(architecture, training, labeled, unlabeled, progress, guidance=lam)
        self.classes_ = split.classes

    def transform(self, X: Any) -> Array:
        """Posterior means of z given the most probable class, those of each member in turn, (n, latents)."""

        def mean(model: Any, block: TensorRows) -> Tensor:
            seen = model.look(block)
            latent: Tensor = model.encoder(seen, model.log_q(seen).argmax(dim=-1))[0]
            return latent

        return columns.in_precision_of(X, np.hstack(list(self.networks_.ask_each(self._rows(X), mean))))

    @property
    def class_prior_(self) -> Array:
        """p(y), (K,)."""
        check_is_fitted(self)
        return np.asarray(np.exp(self.networks_.architecture.log_prior))

    def _learn_first(
        self, X: Any, labels: Labels, weight: Array, seed: int, progress: Progress | None
    ) -> bool:
        """M1, which sees no labels, and the start."""
        interrupted = self._learn_features(X, seed, progress)
        self._choose_start(X, labels, weight, seed)
        return interrupted

    def _read(self, X: Any) -> tuple[tables.Table, Any]:
        # labels are spread along the columns that M1 sees, too
        if self.features is None:
            return tables.learn(X, self.likelihood)
        return tables.learn(X if hasattr(self.features_, "posterior") else self.features_.transform(X))

    def _learn_features(self, X: Any, seed: int, progress: Progress | None) -> bool:
        if self.features is None:
            return False
        if not hasattr(self.features, "fit") or not hasattr(self.features, "transform"):
            raise ParameterError(
                f"features={self.features!r}: use a transformer such as VAEFeatures(), or None for M2 of the "
                "columns themselves."
            )
        if isinstance(X, columns.ReadTable) and not hasattr(self.features, "posterior"):
            raise ParameterError(
                f"features={self.features!r:.80} takes a table as it is, and X is a source of rows: use "
                "VAEFeatures(), or a sample of the rows in memory."
            )
        features = clone(self.features)
        if features.get_params().get("random_state", 0) is None:  # one seed for both
            features.set_params(random_state=seed)
        told = {"progress": progress} if isinstance(features, VAEFeatures) else {}
        self.features_ = features.fit(X, None, **told)  # FrozenEstimator wants a y
        if hasattr(self.features_, "schema_"):
            self.schema_ = self.features_.schema_
        return bool(told) and self.features_.outcome_ == "interrupted"

    @property
    def _least_in_common(self) -> float | None:
        # of M1+M2, as of a GAN, low agreement tells nothing (benchmarks/deep/NOTES.md)
        return 0.5 if self.features is None else None

    @property
    def _kinds(self) -> Any:
        if self.features is None:
            return super()._kinds
        return tables.wanted_kinds(getattr(self.features, "likelihood", "auto"))

    @property
    def _sees_columns(self) -> bool:
        return self.features is None or isinstance(self.features, VAEFeatures)

    def _note_columns(self, shown: Any) -> None:
        super()._note_columns(shown)
        if isinstance(self.features, VAEFeatures):
            validate_data(self.features_, shown, skip_check_array=True)

    @property
    def _steps_first(self) -> int:
        return int(self.features.n_steps) if isinstance(self.features, VAEFeatures) else 0

    def _alone(self) -> Any:
        alone = super()._alone()
        return alone if self.features is None else alone.set_params(features=_frozen(self.features_))

    def _learn_columns(self, X: Any) -> tuple[tables.Table, Any, NDArray[Any] | None]:
        """Columns and rows to learn from, of X or of its features, and how uncertain those are."""
        if self.features is None:
            table, matrix = tables.learn(X, self.likelihood)
            self.schema_ = table.schema
            return table, matrix, None
        if not hasattr(self.features_, "posterior"):
            return *tables.learn(self.features_.transform(X), self.likelihood), None
        mean, sd = posterior_to_learn_from(self.features_, X)
        table, matrix = tables.learn(mean, "gaussian")
        spread = np.einsum("ij,ij->j", sd, sd, dtype=np.float64) / len(sd)
        scale = np.sqrt(table.scale**2 + spread)  # of the draws, not of their means
        return replace(table, scale=scale), matrix, sd

    def _rows(self, X: Any) -> Rows:
        check_is_fitted(self)
        if self.features is None:
            return super()._rows(X)
        schema = self.networks_.architecture.table.schema
        return FeatureRows(
            as_table(X)[0], lambda some: self._as_rows(columns.read(schema, self.features_.transform(some)))
        )

    def _member_proba(self, X: Any) -> tuple[Array, None]:
        rows = self._rows(X)
        found = self.networks_.ask_each(rows, lambda model, block: model.log_q(model.look(block)).exp())
        return self.calibration_(found), None


def _frozen(features: Any) -> Any:
    return features if isinstance(features, FrozenEstimator) else FrozenEstimator(features)
