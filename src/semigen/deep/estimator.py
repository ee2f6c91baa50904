"""What the deep estimators share: the parameters of training, the training, and the way from X to tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from semigen import columns
from semigen.columns import Schema
from semigen.common import checks
from semigen.common.progress import Progress
from semigen.common.threads import thread_count
from semigen.deep.data.datasets import as_table
from semigen.deep.data.rows import Rows, TableRows, TrainingRows, blocks, for_members, hold_out, table_rows
from semigen.deep.data.tables import refuse_stacks, refuse_unbounded
from semigen.deep.draws import forked, mix, random_seed
from semigen.deep.fitted import Architecture, Networks
from semigen.deep.training.checkpoints import Checkpoint, checked_path, fingerprint
from semigen.deep.training.devices import check_device, check_precision, common_seed, thread_limit
from semigen.deep.training.streams import Stream, Streams
from semigen.deep.training.trainer import Trained, Training, train
from semigen.exceptions import ParameterError

Array = NDArray[np.float64]


EPOCHS = 100
MAY_DIFFER = ("checkpoint", "n_jobs", "n_steps", "random_state", "verbose")
"""Parameters of a fit that goes on from a checkpoint; the seed is compared by itself."""
LEAST_STEPS, MOST_STEPS = 400, 2000
"""Of a classifier with ``n_steps="auto"``."""


def n_steps_of(estimator: Any, n_rows: int) -> int:
    """Optimizer steps of a fit to so many rows: "auto" is a hundred epochs, from 400 to 2,000 steps.

    Raises
    ------
    ParameterError
        If the number is neither "auto" nor a whole number from 1.
    """
    if estimator.n_steps == "auto":
        return max(LEAST_STEPS, min(EPOCHS * n_rows // int(estimator.batch_size), MOST_STEPS))
    return checks.integer("n_steps", estimator.n_steps, minimum=1)


class DeepEstimator:
    """The part of an estimator that reads parameters, trains networks and asks them."""

    balanced_batches = False  # of a model without classes

    networks_: Networks
    schema_: Schema

    warmup_steps: int
    n_steps: Any
    batch_size: int
    learning_rate: float
    weight_average: float
    patience: int | None
    n_members: int
    n_jobs: int | None
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

    def _training(self, n_rows: int, tracker: Any = None) -> Training:
        """The parameters of training on so many rows, checked; the seed is drawn from ``random_state``."""
        if tracker is not None and not callable(getattr(tracker, "log", None)):
            raise ParameterError(
                f"tracker={tracker!r:.80} has no log(values, step=): use one of accelerate.tracking, such as "
                "TensorBoardTracker, or an object of your own."
            )
        check_device(self.device)
        check_precision(self.precision)
        if checked_path(self.checkpoint) is None:
            random_state = self.random_state
        else:  # a later fit has to draw the same seed, to go on
            random_state = 0 if self.random_state is None else self.random_state
        if self.n_jobs is not None:
            thread_count(self.n_jobs)
        checks.integer("n_members", self.n_members, minimum=1)
        checks.integer("batch_size", self.batch_size, minimum=1)
        if self.balanced_batches not in (True, False):
            raise ParameterError(f"balanced_batches={self.balanced_batches!r}: use True or False.")
        checks.integer("warmup_steps", self.warmup_steps, minimum=0)
        if self.patience is not None:
            checks.integer("patience", self.patience, minimum=1)
        training = Training(
            n_steps=n_steps_of(self, n_rows),
            learning_rate=checks.real("learning_rate", self.learning_rate, minimum=0.0),
            weight_average=checks.real(
                "weight_average", self.weight_average, minimum=0.0, maximum=1.0, below=True
            ),
            patience=self.patience,
            device=self.device,
            precision=self.precision,
            seed=common_seed(random_seed(random_state)),
            verbose=self.verbose,
            tracker=tracker,
        )
        path = checked_path(self.checkpoint)
        if path is not None:  # before anything is computed
            Checkpoint(path, None, self._parameters(training)).read(training.n_steps)
        return training

    def _parameters(self, training: Training) -> str:
        """A hash of the plain parameters that a fit which goes on has to share."""
        own: Any = self
        plain = (
            (name, value)
            for name, value in sorted(own.get_params(deep=False).items())
            if name not in MAY_DIFFER and isinstance(value, bool | float | int | str | tuple | None)
        )
        return fingerprint((type(self).__name__, training.seed, *plain), ())

    def _train(
        self,
        architecture: Architecture,
        training: Training,
        labeled: TrainingRows,
        unlabeled: TrainingRows,
        start: Callable[[Any, int], None],
        progress: Progress | None = None,
    ) -> Trained:
        """Train the networks and store them; early stopping holds out a tenth of the unlabeled rows, if any.

        ``start(model, seed)`` sets what a new model does not leave to chance.
        """
        held_out = None
        seen = unlabeled
        if unlabeled.n_rows < 2:
            training = replace(training, patience=None)
        if training.patience is not None:
            unlabeled, batch = hold_out(labeled, unlabeled, training.seed)
            held_out = for_members(batch, self.n_members)
        streams = Streams(
            Stream(labeled, self.batch_size, mix(training.seed, 1), self.n_members, self.balanced_batches),
            Stream(unlabeled, self.batch_size, mix(training.seed, 2), self.n_members),
        )
        models = []
        with forked():
            for m in range(self.n_members):
                seed = mix(training.seed, 3 + m)
                torch.manual_seed(seed)
                model = architecture.build()
                start(model, seed)
                models.append(model.float())
        with thread_limit(self.n_jobs):
            trained = train(
                models,
                streams,
                training,
                held_out=held_out,
                checkpoint=self._checkpoint(architecture, training, labeled, seen),
                progress=progress,
            )
        self.networks_ = Networks.of(architecture, trained.states)
        self.history_ = {name: np.array(values) for name, values in trained.history.items()}
        self.n_steps_ = trained.n_steps
        self.outcome_ = trained.outcome
        return trained

    def _checkpoint(
        self, architecture: Architecture, training: Training, labeled: Rows, unlabeled: Rows
    ) -> Checkpoint | None:
        path = checked_path(self.checkpoint)
        if path is None:
            return None
        of_batches = (self.batch_size, self.n_members, self.balanced_batches)
        settings = (replace(training, verbose=0, n_steps=0), architecture, *of_batches)
        return Checkpoint(
            path,
            fingerprint(
                settings, (one for rows in (labeled, unlabeled) for block in blocks(rows) for one in block)
            ),
            self._parameters(training),
        )

    def _rows(self, X: Any) -> Rows:
        """Rows to ask the networks about, float64."""
        X, _ = as_table(X)
        refuse_stacks(X)
        return self._as_rows(columns.read_like(self, X, sparse=False))

    def _as_rows(self, matrix: Any) -> TableRows:
        table = self.networks_.architecture.table
        refuse_unbounded(table.schema, table.likelihoods, matrix)
        return table_rows(table, matrix)
