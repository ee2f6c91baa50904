"""What the deep estimators share: parameters in words, training by them, rows to tensors and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from torch import Tensor

from semigen import columns
from semigen.columns import Schema
from semigen.common import checks
from semigen.data.labels import encode, labeled_examples
from semigen.data.weights import check_weights
from semigen.deep.checkpoints import Checkpoint, fingerprint
from semigen.deep.devices import check_device, check_precision, common_seed
from semigen.deep.fitted import Networks, VAEShape, as_networks, new_models
from semigen.deep.members import Model
from semigen.deep.records import Batch, Rows
from semigen.deep.streams import Stream, Streams, mix
from semigen.deep.tables import Table, refuse_unbounded
from semigen.deep.trainer import Trained, Training, train
from semigen.exceptions import LabelError, ParameterError

Array = NDArray[np.float64]


class DeepEstimator:
    """The part of an estimator that reads parameters, trains networks and asks them."""

    networks_: Networks
    schema_: Schema

    likelihood: Any
    n_latent: int
    hidden: Any
    network: Any
    image_shape: Any
    warmup_steps: int
    n_steps: int
    batch_size: int
    learning_rate: float
    weight_average: float
    patience: int | None
    n_members: int
    device: str
    precision: str
    checkpoint: Any
    random_state: Any
    verbose: int

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.sparse = False
        tags.input_tags.allow_nan = True
        return tags

    def _training(self) -> Training:
        """The parameters of training, checked; the seed is drawn from ``random_state``."""
        check_device(self.device)
        check_precision(self.precision)
        checks.integer("n_members", self.n_members, minimum=1)
        checks.integer("batch_size", self.batch_size, minimum=1)
        checks.integer("warmup_steps", self.warmup_steps, minimum=0)
        if self.patience is not None:
            checks.integer("patience", self.patience, minimum=1)
        return Training(
            n_steps=checks.integer("n_steps", self.n_steps, minimum=1),
            learning_rate=checks.real("learning_rate", self.learning_rate, minimum=0.0),
            weight_average=checks.real("weight_average", self.weight_average, minimum=0.0, maximum=1 - 1e-9),
            patience=self.patience,
            device=self.device,
            precision=self.precision,
            seed=common_seed(random_seed(self.random_state)),
            verbose=self.verbose,
        )

    def _shape(self, table: Table, log_prior: Array) -> VAEShape:
        """The networks' shape, checked."""
        hidden = hidden_sizes("hidden", self.hidden)
        return VAEShape(
            table,
            checks.integer("n_latent", self.n_latent, minimum=1),
            hidden,
            _network(self.network),
            image_sizes(self.image_shape, self.network, table),
            log_prior,
            warmup_steps=self.warmup_steps,
        )

    def _train(self, shape: VAEShape, training: Training, labeled: Rows, unlabeled: Rows) -> Trained:
        """Train the networks and store them; early stopping holds out a tenth of the unlabeled rows."""
        held_out = None
        seen = unlabeled
        if training.patience is not None:
            unlabeled, held_out = _hold_out(labeled, unlabeled, training.seed)
        streams = Streams(
            Stream(labeled, self.batch_size, mix(training.seed, 1), self.n_members),
            Stream(unlabeled, self.batch_size, mix(training.seed, 2), self.n_members),
        )
        if held_out is not None:
            held_out = Batch(*(_for_members(rows, self.n_members) for rows in held_out))
        seeds = [mix(training.seed, 3 + m) for m in range(self.n_members)]
        with torch.random.fork_rng(devices=[]):
            models = self._new_models(shape, labeled, seen, seeds)
        trained = train(
            list(models),
            streams,
            training,
            held_out=held_out,
            checkpoint=self._checkpoint(shape, training, labeled, seen),
        )
        self.networks_ = as_networks(shape, trained.states)
        self.history_ = {name: np.array(values) for name, values in trained.history.items()}
        self.n_steps_ = trained.n_steps
        self.outcome_ = trained.outcome
        return trained

    def _new_models(
        self, shape: Any, labeled: Rows, unlabeled: Rows, seeds: Sequence[int]
    ) -> Sequence[Model]:
        """Models with random weights, one a seed, that start from what the rows tell."""
        rows = unlabeled if len(unlabeled.x) else labeled
        return new_models(shape, rows.x, rows.mask, seeds)

    def _checkpoint(
        self, shape: VAEShape, training: Training, labeled: Rows, unlabeled: Rows
    ) -> Checkpoint | None:
        if self.checkpoint is None:
            return None
        settings = (replace(training, verbose=0), shape, self.batch_size, self.n_members)
        return Checkpoint(Path(self.checkpoint), fingerprint(settings, [*labeled, *unlabeled]))

    def _rows(self, X: Any) -> Rows:
        """Rows to ask the networks about, float64."""
        return self._as_rows(columns.read_like(self, X, sparse=False))

    def _as_rows(self, matrix: Any) -> Rows:
        table = self.networks_.shape.table
        refuse_unbounded(table.schema, table.likelihoods, matrix)
        x, mask = table.tensors(matrix)
        one = torch.ones(len(x), dtype=torch.float64)
        return Rows(x, mask, torch.zeros(len(x), dtype=torch.int64), one, 0.0 * one[:, None])


def training_rows(
    table: Table,
    matrix: Any,
    y: NDArray[Any] | None = None,
    weight: Array | None = None,
    sd: Array | None = None,
) -> Rows:
    """Rows to train on, float32; ``sd`` (n, D) in the units of the table says how uncertain cells are."""
    x, mask = table.tensors(matrix)
    code = np.zeros(len(matrix), dtype=np.int64) if y is None else np.asarray(y, dtype=np.int64)
    weight = np.ones(len(matrix)) if weight is None else weight
    spread = np.zeros((len(matrix), 1)) if sd is None else sd / table.scale
    if table.has_missing:
        mask = mask.expand_as(x)
    return Rows(
        x.float().contiguous(),
        mask.float().contiguous(),
        torch.from_numpy(code),
        torch.from_numpy(weight / weight.mean() if len(weight) else weight).float(),
        torch.from_numpy(spread).float(),
    )


@dataclass(frozen=True, eq=False)
class Split:
    """Which rows of a fit are labeled and which are not.

    Attributes
    ----------
    classes : ndarray of shape (K,)
    labeled : ndarray of int, shape (L,)
        Rows with labels; one of several possible classes is there once a class.
    code : ndarray of int, shape (L,)
        Their classes.
    weight : ndarray of shape (L,)
        Their weights.
    unlabeled : ndarray of int, shape (U,)
        Unlabeled rows that count.
    unlabeled_weight : ndarray of shape (U,)
        Their weights, without λ.
    labeled_share : float
        The labeled rows' share of the total weight, with λ.
    """

    classes: NDArray[Any]
    labeled: NDArray[np.int64]
    code: NDArray[np.int64]
    weight: Array
    unlabeled: NDArray[np.int64]
    unlabeled_weight: Array
    labeled_share: float


def split_rows(n_rows: int, y: Any, sample_weight: Any, unlabeled: Any, share: float) -> Split:
    """Read labels and weights; ``share`` is λ, and with 0 no unlabeled row counts.

    Raises
    ------
    LabelError
        If there are not as many labels as rows, or no labeled row counts.
    """
    labels = encode(y, unlabeled)
    if len(labels.pattern) != n_rows:
        raise LabelError(
            f"Found input variables with inconsistent numbers of samples: X has {n_rows} rows and y "
            f"has {len(labels.pattern)}."
        )
    weight = check_weights(sample_weight, n_rows)
    rows, code, row_weight = labeled_examples(labels, weight)
    if not len(rows):
        raise LabelError("every labeled row has sample_weight 0: at least one must count.")
    others = np.flatnonzero(~labels.is_labeled & (weight * share > 0))
    labeled_share = row_weight.sum() / (row_weight.sum() + share * weight[others].sum())
    return Split(labels.classes, rows, code, row_weight, others, weight[others], float(labeled_share))


def class_prior(value: Any, split: Split) -> Array:
    """p(y), checked."""
    n_classes = len(split.classes)
    if isinstance(value, str) and value == "labeled":
        counts = np.bincount(split.code, weights=split.weight, minlength=n_classes) + 1.0
        return np.asarray(counts / counts.sum())
    if isinstance(value, str) and value == "uniform":
        return np.full(n_classes, 1.0 / n_classes)
    prior = np.asarray(value, dtype=np.float64) if not isinstance(value, str) else np.empty(0)
    if prior.shape != (n_classes,) or not (prior > 0).all() or abs(prior.sum() - 1) > 1e-6:
        raise ParameterError(
            f"class_prior={value!r}: use 'labeled', 'uniform', or an array of {n_classes} positive "
            f"probabilities in the order {split.classes.tolist()!r}."
        )
    return prior


def class_index(classes: NDArray[Any], y: Any) -> int:
    """The index of a class, checked."""
    known = classes.tolist()
    if y not in known:
        raise ParameterError(f"y={y!r} is not among the classes {known!r}.")
    return int(known.index(y))


def entropy(probs: Array) -> Array:
    """−Σ p log p over the last axis."""
    return np.asarray(-(probs * np.log(np.maximum(probs, 1e-300))).sum(axis=-1))


def disagreement(probs: Array) -> tuple[Array, Array]:
    """Entropy of the mean of members' probabilities (members, n, K), and what it exceeds theirs by, (n,)."""
    total = entropy(probs.mean(axis=0))
    return total, np.maximum(total - entropy(probs).mean(axis=0), 0.0)


def hidden_sizes(name: str, value: Any) -> tuple[int, ...]:
    """Units of hidden layers, at least one layer, checked."""
    sizes = (value,) if isinstance(value, int) else tuple(value)
    if not sizes:
        raise ParameterError(f"{name}=(): give the units of at least one hidden layer.")
    return tuple(checks.integer(name, one, minimum=1) for one in sizes)


def random_seed(random_state: Any) -> int:
    """A seed drawn from ``random_state``."""
    return int(check_random_state(random_state).randint(2**31))


@contextmanager
def drawing(random_state: Any) -> Iterator[None]:
    """Torch's random numbers from ``random_state``, without gradients; afterwards they go on as before."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(random_seed(random_state))
        yield


def draw_classes(n: int, y: Any, classes: NDArray[Any], prior: Array) -> Tensor:
    """Indices of ``n`` classes, (n,): that of ``y``, or drawn from ``prior`` if it is None."""
    if y is None:
        return torch.multinomial(torch.from_numpy(prior), n, replacement=True)
    return torch.full((n,), class_index(classes, y))


def _for_members(rows: Rows, n_members: int) -> Rows:
    return Rows(*(value.expand(n_members, *value.shape) for value in rows))


def _hold_out(labeled: Rows, unlabeled: Rows, seed: int) -> tuple[Rows, Batch]:
    """Unlabeled rows without a tenth of them, and a batch of that tenth and no labels."""
    n_rows = len(unlabeled.x)
    n_held = max(1, n_rows // 10)
    if n_rows < 2:
        raise ParameterError(
            f"patience is set, and there are {n_rows} unlabeled row(s) to hold out from: early stopping "
            "looks at unlabeled rows only. Use patience=None."
        )
    order = torch.randperm(n_rows, generator=torch.Generator().manual_seed(seed))
    kept, held = order[n_held:].sort().values, order[:n_held]
    none = Rows(*(value[:0] for value in labeled))
    return Rows(*(value[kept] for value in unlabeled)), Batch(
        none, Rows(*(value[held] for value in unlabeled))
    )


def _network(network: Any) -> Any:
    if callable(network) or network in ("mlp", "conv"):
        return network
    raise ParameterError(
        f"network={network!r}: use 'mlp', 'conv', or a function of the numbers of inputs and outputs that "
        "makes a torch.nn.Module."
    )


def image_sizes(image_shape: Any, network: Any, table: Table) -> tuple[int, int, int] | None:
    """Channels, height and width, checked; None where there is no image."""
    if image_shape is None:
        if network == "conv":
            raise ParameterError(
                "network='conv' needs image_shape=(height, width) or (channels, height, width)."
            )
        return None
    sizes: Sequence[int] = [checks.integer("image_shape", one, minimum=1) for one in image_shape]
    if len(sizes) == 2:
        sizes = [1, *sizes]
    n_features = table.schema.n_features
    if len(sizes) != 3 or np.prod(sizes) != n_features:
        raise ParameterError(f"image_shape={image_shape!r} does not hold the {n_features} columns of X.")
    if network == "conv" and (sizes[1] % 4 or sizes[2] % 4):
        raise ParameterError(
            f"image_shape={image_shape!r}: network='conv' needs heights and widths that 4 divides."
        )
    return sizes[0], sizes[1], sizes[2]
