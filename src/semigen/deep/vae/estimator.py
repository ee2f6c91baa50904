"""What VAEFeatures and VAEClassifier share: the parameters of their networks."""

from __future__ import annotations

from functools import partial
from typing import Any

from semigen.common import checks
from semigen.deep.data.rows import TensorRows
from semigen.deep.data.tables import Inputs, Table
from semigen.deep.estimator import Array, DeepEstimator
from semigen.deep.parameters import check_network, hidden_sizes, image_sizes
from semigen.deep.training.trainer import Training
from semigen.deep.vae.architecture import VAEArchitecture, start_decoder
from semigen.estimators.base import KeepsPrecision

LEAST_UNITS, MOST_UNITS = 100, 300
"""Of a layer with ``hidden="auto"``."""


class VAEEstimator(KeepsPrecision, DeepEstimator):
    """An estimator whose networks are those of M1 or M2."""

    likelihood: Any
    n_latent: int
    hidden: Any
    network: Any
    image_shape: Any

    def _architecture(self, table: Table, log_prior: Array, **options: Any) -> VAEArchitecture:
        """The networks' architecture from the parameters, checked."""
        return VAEArchitecture(
            table,
            n_latent=checks.integer("n_latent", self.n_latent, minimum=1),
            hidden=_sizes(self.hidden, table),
            network=check_network(self.network),
            image_shape=image_sizes(self.image_shape, self.network, table.schema.n_features),
            log_prior=log_prior,
            warmup_steps=self.warmup_steps,
            **options,
        )

    def _train_from(
        self, architecture: VAEArchitecture, training: Training, labeled: TensorRows, unlabeled: TensorRows
    ) -> None:
        """Train from decoders that start at the columns of the unlabeled rows, or of the labeled ones."""
        rows = unlabeled if len(unlabeled.x) else labeled
        self._train(architecture, training, labeled, unlabeled, partial(_start, rows))


def _sizes(hidden: Any, table: Table) -> tuple[int, ...]:
    if isinstance(hidden, str) and hidden == "auto":
        return (max(LEAST_UNITS, min(4 * Inputs(table).n_outputs, MOST_UNITS)),) * 2
    return hidden_sizes("hidden", hidden)


def _start(rows: TensorRows, model: Any, seed: int) -> None:
    start_decoder(model, rows)
