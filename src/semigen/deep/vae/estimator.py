"""What VAEFeatures and VAEClassifier share: the parameters of their networks."""

from __future__ import annotations

from typing import Any

from semigen.common import checks
from semigen.common.progress import Progress
from semigen.deep.data.rows import TrainingRows, spread_out
from semigen.deep.data.tables import Inputs, Table
from semigen.deep.draws import random_seed
from semigen.deep.estimator import Array, DeepEstimator
from semigen.deep.parameters import CONVOLUTIONAL, check_augment, check_network, hidden_sizes, image_sizes
from semigen.deep.training.trainer import Training
from semigen.deep.vae.architecture import VAEArchitecture, start_decoder
from semigen.deep.vae.density import LogDensity, log_density
from semigen.estimators.base import KeepsPrecision
from semigen.exceptions import ParameterError

START_ROWS = 10_000
"""Rows, at most, whose columns a decoder starts at."""
LEAST_UNITS, MOST_UNITS = 100, 300
"""Of a layer with ``hidden="auto"``."""


class VAEEstimator(KeepsPrecision, DeepEstimator):
    """An estimator whose networks are those of M1 or M2."""

    likelihood: Any
    n_latent: int
    hidden: Any
    network: Any
    image_shape: Any
    beta: Any
    free_bits: float
    n_pseudo_inputs: int
    n_auxiliary: int = 0  # this and the next two: of a model with classes
    skip: bool = False
    augment: Any = None

    def _architecture(self, table: Table, log_prior: Array, **options: Any) -> VAEArchitecture:
        """The networks' architecture from the parameters, checked."""
        if self.free_bits and self.n_pseudo_inputs:
            raise ParameterError(
                "free_bits and n_pseudo_inputs are both set: the divergence from a VampPrior is one number "
                "per row, not one per latent. Use one of them."
            )
        if self.skip not in (True, False) or (self.skip and not self.n_auxiliary):
            raise ParameterError(f"skip={self.skip!r}: use True, with n_auxiliary of 1 or more, or False.")
        if self.n_auxiliary and self.network in CONVOLUTIONAL:
            raise ParameterError(
                f"n_auxiliary needs network='mlp' or a function, not network={self.network!r}."
            )
        if isinstance(self.beta, str) and self.beta == "auto":
            beta = self._usual_beta(table)
        else:
            beta = checks.real("beta", self.beta, minimum=0.0, more="'auto' or ")
        units = max(LEAST_UNITS, min(4 * Inputs(table).n_outputs, MOST_UNITS))
        return VAEArchitecture(
            table,
            n_latent=checks.integer("n_latent", self.n_latent, minimum=1),
            hidden=hidden_sizes("hidden", self.hidden, (units, units)),
            network=check_network(self.network),
            image_shape=image_sizes(self.image_shape, self.network, table.schema.n_features),
            log_prior=log_prior,
            warmup_steps=self.warmup_steps,
            beta=beta,
            free_bits=checks.real("free_bits", self.free_bits, minimum=0.0),
            n_pseudo_inputs=checks.integer("n_pseudo_inputs", self.n_pseudo_inputs, minimum=0),
            n_auxiliary=checks.integer("n_auxiliary", self.n_auxiliary, minimum=0),
            skip=bool(self.skip),
            augment=check_augment(self.augment, self.image_shape, has_missing=table.has_missing),
            **options,
        )

    def score_samples(self, X: Any) -> Array:
        """Estimated log p(x), nats per unit of the columns, (n,); see :meth:`log_density`."""
        return self.log_density(X).value

    def log_density(self, X: Any, *, n_samples: int = 100, random_state: Any = 0) -> LogDensity:
        """Importance-weighted estimate of log p(x), summed over classes, with its standard error.

        With ``features`` the density is that of the features.

        Parameters
        ----------
        X : array or data frame of shape (n, D)
        n_samples : int, default=100
            Draws of z; the same for every row.
        random_state : int, RandomState or None, default=0

        Returns
        -------
        LogDensity
        """
        rows = self._rows(X)
        return log_density(self.networks_, rows, n_samples, random_seed(random_state))

    def _usual_beta(self, table: Table) -> float:
        """β with ``beta="auto"``."""
        return table.dispersion

    def _train_from(
        self,
        architecture: VAEArchitecture,
        training: Training,
        labeled: TrainingRows,
        unlabeled: TrainingRows,
        progress: Progress | None = None,
        guidance: float = 0.0,
    ) -> None:
        """Train from decoders that start at the columns of the unlabeled rows, or of the labeled ones."""
        rows = spread_out(unlabeled if unlabeled.n_rows else labeled, START_ROWS)

        def start(model: Any, seed: int) -> None:
            start_decoder(model, rows)
            model.guidance = guidance

        self._train(architecture, training, labeled, unlabeled, start, progress)
