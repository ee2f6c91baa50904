"""M1: latent variables of a variational autoencoder as features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from semigen import columns
from semigen.common import checks
from semigen.common.notices import warn
from semigen.common.progress import Progress
from semigen.data.rows import count_rows, take_rows
from semigen.deep.bounds import gaussian_kl
from semigen.deep.data import tables
from semigen.deep.data.datasets import as_table, of_source
from semigen.deep.data.rows import Rows, TensorRows, blocks, training_rows
from semigen.deep.draws import drawing
from semigen.deep.estimator import Array
from semigen.deep.vae.estimator import VAEEstimator
from semigen.exceptions import ConvergenceWarning

COLLAPSED = 0.005
"""A latent with a smaller mean KL divergence between posterior and prior, nats, carries no information: that
of one whose posterior mean has a standard deviation of .1 over rows (Burda et al. 2016, *ICLR*, §5)."""
TABLE_BETA = 0.3
"""β of a table that is no image."""
LEAST_INFORMATION = 1e-6
"""Nats that every latent is taken to carry, so that features can be divided by their scale."""

ROWS_AT_ONCE = 2**12
"""Rows whose features to learn from are computed at once."""


class VAEFeatures(VAEEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """M1: features learned from all rows, labeled or not, by a variational autoencoder.

    The model is ``p(x) = ∫ p(x | z) N(z; 0, I) dz`` with a decoder network for p(x | z); an encoder network
    gives q(z | x) = N(m(x), diag s(x)²), and both are trained to maximize the mean of

    ``E_q[log p(x | z)] − KL(q(z | x) ‖ N(0, I)) ≤ log p(x)``

    (Kingma & Welling 2014, *ICLR*, eq. 3; Kingma et al. 2014, *NeurIPS* 27, call it M1). The features are
    ``√KL_j · m_j(x)``, without the latents whose posterior has collapsed to the prior. KL_j is the mean
    divergence of latent j, the information that it carries in nats per row: under the prior all latents
    have variance 1, whether they carry three nats or a hundredth, and distances between rows would be mostly
    those of the latter. So do not standardize the features before a classifier that looks at distances.

    Parameters
    ----------
    likelihood : str or dict {column or kind: str}, default="auto"
        p(value | z): "gaussian" (one learned standard deviation per column), "bernoulli" (flags; a gray value
        from 0 to 1 is replaced by a new draw of black or white in each step), "continuous_bernoulli" (numbers
        from 0 to 1 as they are), "categorical", "poisson" or "negative_binomial"; or a dict from column names
        (numbers, for an array) or kinds to these. "auto": Gaussian for numbers, negative binomial for counts,
        Bernoulli for flags, categorical for categories, and Bernoulli if all columns are numbers from 0 to 1
        and mostly near one of them, as the pixels of black on white are. Missing values drop out of the
        likelihood, and the encoder is told which values are missing.
    n_latent : int, default=20
        Number of latents, before collapsed ones are dropped.
    hidden : int or tuple of int, default=(300, 300)
        Number of units of each hidden layer.
    network : {"mlp", "conv", "resnet"} or callable, default="mlp"
        "conv": two convolutions, for images; needs ``image_shape``. "resnet": residual blocks of convolutions
        with group normalization, for images of 32 × 32 and more, on a GPU. A callable gets the numbers of
        inputs and outputs and returns a ``torch.nn.Module`` that maps (n, inputs) to (n, outputs).
    image_shape : (height, width) or (channels, height, width) or None, default=None
        Shape of the image that the columns form, in row-major order.
    beta : float or "auto", default="auto"
        Weight of the KL term. 1: the bound; more makes latents simpler and more independent (Higgins et al.
        2017, *ICLR*), less keeps more of the row, and describes its density less well. "auto": .3, because a
        table's few columns are often cheaper to take for noise than to describe; 1 for images
        (``image_shape``); where all columns are gray values that are drawn as black and white, their variance
        over that of such draws, because these are noisier than the rows.
    free_bits : float, default=0.0
        Nats that each latent may carry without a cost (Kingma et al. 2016, *NeurIPS* 29): keeps latents from
        collapsing early. Not with ``n_pseudo_inputs``.
    n_pseudo_inputs : int, default=0
        VampPrior (Tomczak & Welling 2018, *AISTATS*): p(z) is the mixture of the posteriors of so many
        learned rows, 50 to 500, instead of N(0, I). 0: N(0, I).
    warmup_steps : int, default=0
        Optimizer steps over which the weight of the KL term rises linearly from 0 to 1.
    n_steps : int, default=2000
        Optimizer steps.
    batch_size : int, default=200
        Rows per step.
    learning_rate : float, default=0.001
        Learning rate of Adam; it falls linearly to 0 over the last third of the steps.
    weight_average : float in [0, 1), default=0.999
        Decay of the exponential moving average of the weights, which is the result; 0: the last weights.
    patience : int or None, default=None
        Early stopping: a tenth of the rows is held out, and training stops when their bound has not improved
        in this many consecutive reports, of which there are 50. None, or fewer than two such rows: all steps.
    n_members : int, default=1
        Models of a deep ensemble, trained at once from different seeds; their features are concatenated.
    n_jobs : int or None, default=None
        Threads that training on the CPU may use; -1: one per processor. None: as many as PyTorch is set to.
    device : {"auto", "cpu", "cuda", "mps"}, default="auto"
        Device to train on.
    precision : {"float32", "bfloat16"}, default="float32"
        Precision of matrix products in training; weights are float32, and predictions are computed in
        float64.
    checkpoint : path or None, default=None
        File that the state of training is saved to. If it exists, training is resumed from it, with the same
        result. With more ``n_steps`` a finished fit goes on; its learning rate had fallen by then, so the
        result is not that of one long fit. A ``random_state`` of None is 0 then, so that a later fit goes on.
    random_state : int, RandomState or None, default=None
        The same number gives the same result on the same device.
    verbose : int, default=0
        1 prints the parts of the loss, 50 times in all.

    Attributes
    ----------
    kl_ : ndarray of shape (n_members, n_latent)
        Mean KL divergence of each latent, nats per row: the information that it carries.
    active_ : ndarray of shape (n_members, n_latent), bool
        Which latents are features: those with 0.005 nats or more.
    scale_ : ndarray of shape (n_members, n_latent)
        √KL, the factor of each latent.
    history_ : dict {str: ndarray}
        At each report: "step", and the means since the last one of "bound", "log_px" and "kl", nats per row.
    n_steps_ : int
    outcome_ : {"finished", "no improvement", "not finite", "interrupted"}
        Why training ended.
    schema_ : Schema
    n_features_in_ : int

    Warns
    -----
    ConvergenceWarning
        If all latents have collapsed; the one with the largest KL divergence is kept.

    Examples
    --------
    >>> import numpy as np
    >>> from semigen.deep import VAEFeatures
    >>> X = np.random.default_rng(0).normal(size=(200, 1)) @ np.ones((1, 5))
    >>> X += 0.1 * np.random.default_rng(1).normal(size=X.shape)
    >>> features = VAEFeatures(n_latent=3, beta=1.0, hidden=20, n_steps=300, random_state=0).fit(X)
    >>> features.transform(X).shape
    (200, 1)
    """

    def __init__(
        self,
        likelihood: Any = "auto",
        *,
        n_latent: int = 20,
        hidden: Any = (300, 300),
        network: Any = "mlp",
        image_shape: Any = None,
        beta: Any = "auto",
        free_bits: float = 0.0,
        n_pseudo_inputs: int = 0,
        warmup_steps: int = 0,
        n_steps: int = 2000,
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
        self.likelihood = likelihood
        self.n_latent = n_latent
        self.hidden = hidden
        self.network = network
        self.image_shape = image_shape
        self.beta = beta
        self.free_bits = free_bits
        self.n_pseudo_inputs = n_pseudo_inputs
        self.warmup_steps = warmup_steps
        self.n_steps = n_steps
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

    def fit(self, X: Any, y: Any = None, *, progress: Progress | None = None, tracker: Any = None) -> Self:
        """Fit to all rows; y is ignored.

        Parameters
        ----------
        X : array or data frame of shape (n, D), PyTorch ``Dataset``, ``DataLoader``, iterator or RowSource
            As the classifiers take them.
        y : ignored
        progress : callable, optional
            Called as ``progress(steps done, all steps, parts of the loss)`` up to 50 times.
        tracker : object, optional
            As in the classifiers.

        Returns
        -------
        self
        """
        X, _, _, shown = of_source(X, None, None, None, tables.wanted_kinds(self.likelihood))
        X, _ = as_table(X)
        training = self._training(count_rows(X), tracker)
        table, matrix = tables.learn(X, self.likelihood)
        self.schema_ = table.schema
        validate_data(self, X if shown is None else shown, skip_check_array=True)
        rows = training_rows(table, matrix, np.arange(len(matrix)))
        architecture = self._architecture(table, np.empty(0))
        self._train_from(architecture, training, rows.take(slice(0)), rows, progress)
        self._find_active(self._as_rows(matrix))
        return self

    def _usual_beta(self, table: tables.Table) -> float:
        is_table = self.image_shape is None and set(table.likelihoods) != {"bernoulli"}
        return TABLE_BETA if is_table else super()._usual_beta(table)

    def transform(self, X: Any) -> Array:
        """Scaled posterior means of the active latents, those of each member in turn, (n, features)."""
        (mean,) = self._scaled(X, lambda mean, _: (mean,))
        return columns.in_precision_of(X, mean)

    def posterior(self, X: Any) -> tuple[Array, Array]:
        """Means and standard deviations of the active latents under q(z | x), scaled, each (n, features)."""
        mean, sd = self._scaled(X, lambda mean, log_sd: (mean, log_sd.exp()))
        return mean, sd

    def inverse_transform(self, Z: Any) -> Any:
        """Expected rows given their features, by the first member; collapsed latents are set to 0.

        Parameters
        ----------
        Z : array of shape (n, features)

        Returns
        -------
        ndarray or data frame of shape (n, D)
        """
        check_is_fitted(self)
        model = self.networks_.models[0]
        with torch.no_grad():
            return self._restored(model.likelihood.mean(model.decoder(self._latents(Z, torch.zeros))))

    def draw(self, Z: Any, random_state: Any = None) -> Any:
        """Draw rows given their features, by the first member; collapsed latents are drawn from the prior.

        Parameters
        ----------
        Z : array of shape (n, features)
        random_state : int, RandomState or None

        Returns
        -------
        ndarray or data frame of shape (n, D)
        """
        check_is_fitted(self)
        model = self.networks_.models[0]
        with drawing(random_state):
            return self._restored(model.likelihood.sample(model.decoder(self._latents(Z, torch.randn))))

    def reconstruct(self, X: Any) -> Any:
        """Expected rows given the posterior means of their latents: a table like X, (n, D)."""
        return self.inverse_transform(self.transform(X))

    def sample(self, n: int = 1, random_state: Any = None, *, expected: bool = False) -> Any:
        """Draw rows from the model, each from a random member.

        Parameters
        ----------
        n : int, default=1
        random_state : int, RandomState or None
        expected : bool, default=False
            Draw the latents only, and return the expected values given them: gray images instead of black
            and white ones. Such rows vary less than those of the table.

        Returns
        -------
        ndarray or data frame of shape (n, D)
        """
        check_is_fitted(self)
        checks.integer("n", n, minimum=1)
        with drawing(random_state):
            rows = self.networks_.draw(n, lambda model, which: model.sample(len(which), expected=expected))
        return self._restored(rows)

    def score(self, X: Any, y: Any = None) -> float:
        """Mean of :meth:`score_samples`, nats per row."""
        return float(np.mean(self.score_samples(X)))

    @property
    def n_collapsed_(self) -> int:
        """Number of collapsed latents, which are dropped, over all members."""
        check_is_fitted(self)
        return int((~self.active_).sum())

    @property
    def _n_features_out(self) -> int:
        return int(self.active_.sum())

    def _latents(self, Z: Any, others: Callable[..., Tensor]) -> Tensor:
        """First member's latents with these features, (n, latents); ``others`` gives the collapsed ones."""
        features = torch.as_tensor(np.asarray(Z, dtype=np.float64))
        active = torch.from_numpy(self.active_[0])
        center, sd = self.networks_.models[0].prior_moments()
        z: Tensor = center + sd * others(len(features), len(active), dtype=torch.float64)
        z[:, active] = features[:, : int(active.sum())] / torch.from_numpy(self.scale_[0])[active]
        return z

    def _restored(self, rows: Tensor) -> Any:
        return columns.restore(self.schema_, self.networks_.architecture.table.matrix(rows))

    def _find_active(self, rows: Rows) -> None:
        kl = torch.zeros(self.n_members, self.n_latent, dtype=torch.float64)
        with torch.no_grad():
            for block in blocks(rows):
                for model, own in zip(self.networks_.models, kl, strict=True):
                    mean, log_sd = model.encoder(model.look(block))
                    center, sd = model.prior_moments()
                    own += gaussian_kl((mean - center) / sd, log_sd - sd.log()).sum(dim=0)
        self.kl_ = kl.numpy() / rows.n_rows
        self.active_ = self.kl_ >= COLLAPSED
        if not self.active_.any():
            warn(
                f"all {self.n_latent} latents have collapsed to the prior: the decoder ignores them. Raise "
                "n_steps or warmup_steps.",
                ConvergenceWarning,
            )
            self.active_[np.unravel_index(self.kl_.argmax(), self.kl_.shape)] = True
        self.scale_ = np.sqrt(np.maximum(self.kl_, LEAST_INFORMATION))

    def _scaled(self, X: Any, of: Callable[[Tensor, Tensor], Sequence[Tensor]]) -> list[Array]:
        """What is wanted of the mean and log sd of q(z | x): of the active latents, scaled, (n, features)."""

        def question(model: Any, block: TensorRows) -> Tensor:
            return torch.stack(tuple(of(*model.encoder(model.look(block)))), dim=1)

        found = self.networks_.ask_each(self._rows(X), question)
        scaled = (
            one[..., own] * scale[own]
            for one, own, scale in zip(found, self.active_, self.scale_, strict=True)
        )
        return list(np.concatenate(list(scaled), axis=2).swapaxes(0, 1))


def posterior_to_learn_from(features: Any, X: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Means and standard deviations of the features of rows, each (n, features), computed block by block."""
    n_rows = count_rows(X)
    found: list[NDArray[np.float32]] = []
    for begin in range(0, n_rows, ROWS_AT_ONCE):
        block = np.arange(begin, min(begin + ROWS_AT_ONCE, n_rows))
        both = features.posterior(take_rows(X, block))
        found = found or [np.empty((n_rows, one.shape[1]), dtype=np.float32) for one in both]
        for whole, one in zip(found, both, strict=True):
            whole[block] = one
    mean, sd = found
    return mean, sd
