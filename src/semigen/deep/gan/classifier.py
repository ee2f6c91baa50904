"""The K+1 GAN: a discriminator that is also the classifier, and a generator that it is trained against."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from semigen import columns
from semigen.common import checks
from semigen.common.progress import Progress
from semigen.data.labels import Labels
from semigen.deep.classifier import DeepClassifier
from semigen.deep.data import tables
from semigen.deep.data.labels import split_rows
from semigen.deep.data.rows import Rows, rows_to_predict, spread_out, training_rows
from semigen.deep.data.tables import Table
from semigen.deep.draws import class_index, drawing, forked, mix
from semigen.deep.estimator import Array
from semigen.deep.fitted import Networks
from semigen.deep.gan.model import GAN, GANArchitecture
from semigen.deep.labelers import FROM_LABELS
from semigen.deep.parameters import CONVOLUTIONAL, check_augment, hidden_sizes, image_sizes
from semigen.deep.training.trainer import Training
from semigen.exceptions import ClassNotMadeError, ColumnError, ParameterError

START_ROWS = 2_000
"""Rows, at most, that the discriminator's layers are scaled by at the start."""
_MOST_DRAWS = 1000  # per row of a class that is asked for


class GANClassifier(DeepClassifier, BaseEstimator):
    """K+1 GAN with feature matching (Salimans et al. 2016): a classifier that also detects generated rows.

    The discriminator has K logits l_k(x); with ``Z = Σ_k exp l_k`` a row is real with probability
    ``D(x) = Z / (Z + 1)`` and, if it is real, of class k with ``exp l_k / Z``: the prediction. It minimizes

    ``α · mean_labeled [−log p(y | x, real)] + ½ mean_real [−log D(x)] + ½ mean [−log(1 − D(G(z)))]``

    and the generator minimizes the squared distance between the mean activations of the last hidden layer on
    real and on generated rows. The real rows are all rows of the table, labeled or not, with their weights.

    A GAN has no density p(x), hence no ``score_samples``, and no ``class_prior``. For densities use
    :class:`VAEClassifier` or :class:`~semigen.MixtureClassifier`.

    Parameters
    ----------
    unit_cells : bool or "auto", default="auto"
        Whether all numbers are from 0 to 1, as the pixels of images are. They are then not standardized, and
        the generator's outputs for them pass through a sigmoid. "auto": look at the table. Otherwise numbers
        are standardized. Counts are standardized as log(1 + count); the generator draws flags, categories and
        which values are missing.
    network : {"mlp", "conv", "resnet"}, default="mlp"
        "conv": two convolutions come before the hidden layers of the discriminator; needs ``image_shape``.
        The generator has no convolutions. "resnet": both are residual networks of convolutions.
    image_shape : (height, width) or (channels, height, width) or None, default=None
        Shape of the image that the columns form, in row-major order.
    augment : {None, "shift", "shift and flip"}, default=None
        How real images are changed at random, anew in each step, for the discriminator, as in
        :class:`VAEClassifier`; needs ``network="conv"`` or ``"resnet"``.
    hidden : "auto", int or tuple of int, default="auto"
        Number of units of each hidden layer of the discriminator. "auto": (w, w/2, w/4, w/4, w/4), none below
        100, where w is 4 times the number of inputs, at most 1000. From 250 inputs on this is the published
        1000-500-250-250-250; for small tables, five layers of 100. After convolutions, w/4 alone.
    generator_hidden : "auto", int or tuple of int, default="auto"
        The same for the generator. "auto": (w/2, w/2), none below 100, which is the published 500-500 from
        250 inputs on.
    n_latent : int, default=100
        Number of uniform random numbers that a row is generated from.
    input_noise : float or "auto", default="auto"
        Standard deviation of the Gaussian noise added to the discriminator's inputs in training. "auto": the
        published 0.3 for numbers from 0 to 1, otherwise 0.1 standard deviations of each column.
    hidden_noise : float, default=0.5
        The same for its hidden layers, whose units have standard deviation 1 at the start.
    alpha : float, default=1.0
        Weight of the mean cross-entropy of the labeled rows.
    start : {"auto", "density", "spreading", "mixture", "labels"}, default="auto"
        As in :class:`VAEClassifier`: classes of unlabeled rows, whose mean cross-entropy counts as that of
        the labeled ones.
    entropy_weight : float, default=0.0
        Weight in the discriminator's loss of the mean entropy of p(y | x, real) over all rows (Dai et al.
        2017), which keeps decision boundaries away from the data.
    pull_away_weight : float, default=0.0
        Weight of the pull-away term in the generator's loss (Dai et al. 2017), which makes generated rows
        more diverse.
    unlabeled_weight, calibrate, unlabeled, balanced_batches, n_members
        As in :class:`VAEClassifier`.
    n_steps : "auto" or int, default="auto"
        Optimizer steps, each of both networks. "auto": a hundred epochs, from 400 to 2,000 steps. The
        published model of MNIST takes 180,000.
    batch_size : int, default=100
        Real rows per step, and as many generated ones; and as many labeled ones, or all of them if there are
        fewer.
    learning_rate : float, default=3e-3
        Learning rate of Adam with β₁ = 0.5; it falls linearly to 0 over the last third of the steps.
    weight_average : float in [0, 1), default=0.9999
        Decay of the exponential moving average of the weights, which is the result; 0: the last weights. The
        average starts at the initial weights, so after t steps the decay is at most (1 + t) / (10 + t):
        otherwise they would dominate for thousands of steps.
    n_jobs, device, precision, checkpoint, random_state, verbose
        As in :class:`VAEFeatures`.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
    start_, unlabeled_weight_, calibration_, comparison_, verdict_, explanation_
        As in :class:`VAEClassifier`.
    history_ : dict {str: ndarray}
        At each report: "step", and the means since the last one of "cross_entropy" of labeled rows, "real"
        (−log D) and "entropy" of all rows and "generated" (−log(1 − D)), nats per row, of "feature_matching"
        and, if it has a weight, "pull_away".
    n_steps_ : int
    outcome_ : {"finished", "not finite", "interrupted"}
    schema_ : Schema
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (D,)
        Only for data frames with text names.

    Examples
    --------
    >>> import numpy as np
    >>> from semigen.deep import GANClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 3)) + np.repeat([[0.0], [4.0]], 100, axis=0)
    >>> y = np.full(200, None)
    >>> y[[3, 20, 120, 150]] = ["low", "low", "high", "high"]
    >>> clf = GANClassifier(hidden=20, n_steps=100, random_state=0).fit(X, y)
    >>> clf.predict([[0.3, 0.0, 0.1], [4.2, 3.8, 4.0]]).tolist()
    ['low', 'high']
    """

    # Parameters of other deep models. A GAN has no KL term, and its held-out loss is not informative.
    warmup_steps = 0
    patience = None

    def __init__(
        self,
        *,
        unit_cells: Any = "auto",
        network: Any = "mlp",
        image_shape: Any = None,
        augment: Any = None,
        start: str = "auto",
        hidden: Any = "auto",
        generator_hidden: Any = "auto",
        n_latent: int = 100,
        input_noise: Any = "auto",
        hidden_noise: float = 0.5,
        alpha: float = 1.0,
        entropy_weight: float = 0.0,
        pull_away_weight: float = 0.0,
        unlabeled_weight: Any = "auto",
        calibrate: Any = "auto",
        unlabeled: Any = -1,
        n_steps: int | str = "auto",
        balanced_batches: bool = False,
        batch_size: int = 100,
        learning_rate: float = 3e-3,
        weight_average: float = 0.9999,
        n_members: int = 1,
        n_jobs: int | None = None,
        device: str = "auto",
        precision: str = "float32",
        checkpoint: Any = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.unit_cells = unit_cells
        self.network = network
        self.image_shape = image_shape
        self.augment = augment
        self.start = start
        self.hidden = hidden
        self.generator_hidden = generator_hidden
        self.n_latent = n_latent
        self.input_noise = input_noise
        self.hidden_noise = hidden_noise
        self.alpha = alpha
        self.entropy_weight = entropy_weight
        self.pull_away_weight = pull_away_weight
        self.unlabeled_weight = unlabeled_weight
        self.calibrate = calibrate
        self.unlabeled = unlabeled
        self.n_steps = n_steps
        self.balanced_batches = balanced_batches
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_average = weight_average
        self.n_members = n_members
        self.n_jobs = n_jobs
        self.device = device
        self.precision = precision
        self.checkpoint = checkpoint
        self.random_state = random_state
        self.verbose = verbose

    def _read(self, X: Any) -> tuple[Table, Any]:
        table, matrix = tables.learn(X, {})
        return self._with_unit_cells(table, matrix)[0], matrix

    def _learn(
        self,
        X: Any,
        labels: Labels,
        weight: Array,
        training: Training,
        lam: float,
        progress: Progress | None,
    ) -> None:
        table, matrix = tables.learn(X, {})
        table, unit = self._with_unit_cells(table, matrix)
        split = split_rows(labels, weight, lam)
        architecture = self._architecture(table, unit, len(split.classes))
        labeled = training_rows(table, matrix, split.labeled, split.code, split.weight)
        real = np.concatenate([split.labeled, split.unlabeled])
        guess = self._guess(lambda: (table, matrix), split, training.seed)
        real_weight = np.concatenate([split.weight, lam * split.unlabeled_weight])
        rows = training_rows(table, matrix, real, guess, real_weight)
        self.schema_ = table.schema
        first = spread_out(rows, START_ROWS)

        def start(model: GAN, seed: int) -> None:
            model.start(first.x, first.mask)
            model.guidance = float(self.start_ != FROM_LABELS)

        trained = self._train(architecture, training, labeled, rows, start, progress)
        states = _calibrated(architecture, trained.states, mix(training.seed, 0))
        self.networks_ = Networks.of(architecture, states)
        self.classes_ = split.classes

    def sample(self, n: int = 1, y: Any = None, random_state: Any = None) -> tuple[Any, NDArray[Any]]:
        """Draw rows from the generator; each gets the class that the classifier predicts for it.

        Feature matching trains a generator to help the classifier: its rows are not draws from a density, and
        their class shares need not be those of the data.

        Parameters
        ----------
        n : int, default=1
        y : class or None
            Keep only rows that are predicted to be of this class.
        random_state : int, RandomState or None

        Returns
        -------
        X : ndarray or data frame of shape (n, D)
            Without missing values.
        y : ndarray of shape (n,)

        Raises
        ------
        ClassNotMadeError
            If fewer than one generated row in a thousand is of class ``y``.
        """
        check_is_fitted(self)
        checks.integer("n", n, minimum=1)
        wanted = None if y is None else class_index(self.classes_, y)
        found: list[Tensor] = []
        codes: list[Tensor] = []
        with drawing(random_state):
            for x, code in self._draws(n):
                kept = torch.ones(n, dtype=torch.bool) if wanted is None else code == wanted
                found.append(x[kept])
                codes.append(code[kept])
                if sum(map(len, codes)) >= n:
                    break
            else:
                raise ClassNotMadeError(
                    f"y={y!r}: the generator made {sum(map(len, codes))} rows of this class in "
                    f"{_MOST_DRAWS * n}. Draw rows of any class (y=None), label more rows of this one, or "
                    "raise n_steps."
                )
        return self._restored(torch.cat(found)[:n]), self.classes_[torch.cat(codes)[:n].numpy()]

    def sample_classes(self, n: int = 1, random_state: Any = None) -> list[Any]:
        """Draw rows of every class in one pass: those of each are what :meth:`sample` draws of it.

        Parameters
        ----------
        n : int, default=1
            Of each class.
        random_state : int, RandomState or None

        Returns
        -------
        list of ndarray or data frame of shape (n, D), or None
            In the order of ``classes_``; None for a class that is fewer than one generated row in a thousand.
        """
        check_is_fitted(self)
        checks.integer("n", n, minimum=1)
        found: list[list[Tensor]] = [[] for _ in self.classes_]
        with drawing(random_state):
            for x, code in self._draws(n):
                for k, rows in enumerate(found):
                    rows.extend(x[code == k])
                if all(len(rows) >= n for rows in found):
                    break
        return [self._restored(torch.stack(rows[:n])) if len(rows) >= n else None for rows in found]

    def _draws(self, n: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Generated rows, n at a time, with the classes that the classifier predicts for them."""
        for _ in range(_MOST_DRAWS):
            x = self.networks_.draw(n, _generated)
            proba = self._member_proba_of(rows_to_predict(x, torch.ones(n, 1, dtype=x.dtype)))
            yield x, torch.from_numpy(proba.mean(axis=0).argmax(axis=1))

    def _restored(self, x: Tensor) -> Any:
        """Rows as the table that was fitted has them."""
        return columns.restore(self.schema_, self.networks_.architecture.table.matrix(x))

    def _member_proba(self, X: Any) -> tuple[Array, None]:
        check_is_fitted(self)
        return self._member_proba_of(self._rows(X)), None

    def _member_proba_of(self, rows: Rows) -> Array:
        """Calibrated p(class | x, real) of each member, (members, n, K)."""
        found = self.networks_.ask_each(rows, lambda model, block: model.log_probs(block).exp())
        return self.calibration_(found)

    def _with_unit_cells(self, table: Table, matrix: Any) -> tuple[Table, tuple[bool, ...]]:
        """The table without standardization of numbers from 0 to 1, and which columns these are."""
        if self.unit_cells not in (True, False, "auto"):
            raise ParameterError(f"unit_cells={self.unit_cells!r}: use True, False or 'auto'.")
        number = np.array([name == "gaussian" for name in table.likelihoods])
        low = np.fmin.reduce(np.fmin.reduce(matrix)[number], initial=0.0)
        high = np.fmax.reduce(np.fmax.reduce(matrix)[number], initial=1.0)
        inside = bool(low >= 0 and high <= 1)
        if self.unit_cells is True and not inside:
            raise ColumnError(
                f"unit_cells=True, but numbers are from {low:g} to {high:g}: "
                "divide by the largest possible value, 255 for images of bytes, or use unit_cells=False."
            )
        unit = number & (inside and self.unit_cells is not False)
        as_is = unit | np.array([name == "bernoulli" for name in table.likelihoods])
        return replace(
            table,
            center=np.where(unit, 0.0, table.center),
            scale=np.where(unit, 1.0, table.scale),
            input_center=np.where(as_is, 0.0, table.input_center),
            input_scale=np.where(as_is, 1.0, table.input_scale),
        ), tuple(unit.tolist())

    def _architecture(self, table: Table, unit: tuple[bool, ...], n_classes: int) -> GANArchitecture:
        """The networks' architecture from the parameters, checked."""
        if self.network not in ("mlp", *CONVOLUTIONAL):
            raise ParameterError(f"network={self.network!r}: use 'mlp', 'conv' or 'resnet'.")
        image = (
            image_sizes(self.image_shape, self.network, table.schema.n_features)
            if self.network in CONVOLUTIONAL
            else None
        )
        widest = min(1000, 4 * tables.Inputs(table).n_outputs)
        hidden, generator = (
            tuple(max(100, widest // share) for share in shares)
            for shares in ((4,) if image else (1, 2, 4, 4, 4), (2, 2))
        )
        noise = (0.3 if any(unit) else 0.1) if self.input_noise == "auto" else self.input_noise
        return GANArchitecture(
            table,
            unit,
            np.zeros(n_classes),
            hidden=hidden_sizes("hidden", self.hidden, hidden),
            generator_hidden=hidden_sizes("generator_hidden", self.generator_hidden, generator),
            n_latent=checks.integer("n_latent", self.n_latent, minimum=1),
            n_generated=self.batch_size,
            input_noise=checks.real("input_noise", noise, minimum=0.0),
            image_shape=image,
            network="resnet" if self.network == "resnet" else "conv",
            augment=check_augment(self.augment, image, has_missing=table.has_missing),
            **{
                name: checks.real(name, getattr(self, name), minimum=0.0)
                for name in ("hidden_noise", "alpha", "entropy_weight", "pull_away_weight")
            },
        )


def _generated(model: Any, which: Tensor) -> Tensor:
    """Rows drawn from a generator, as tensors of the table, (n, D)."""
    found: Tensor = model.output_layer.rows(
        model.generator(model.generator.latents(len(which))), model.inputs
    )
    return found


def _calibrated(
    architecture: GANArchitecture, states: Sequence[dict[str, Tensor]], seed: int
) -> list[dict[str, Tensor]]:
    """The weights, with the moments of batch norm that belong to them."""
    found = []
    with forked():
        torch.manual_seed(seed)
        for state in states:
            model: GAN = architecture.build()
            model.load_state_dict(state)
            model.calibrate()
            found.append({name: value.detach() for name, value in model.state_dict().items()})
    return found
