"""What is fitted: names of the results, the classifier of each, and parts that are taken out of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import torch
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.semi_supervised import LabelSpreading
from torch import Tensor

from benchmarks.deep.taught import Spreading, Taught, Views, gradients, small_convolutions
from semigen.deep import FlowMixtureClassifier, GANClassifier, VAEClassifier, bounds
from semigen.deep.bounds import weighted_mean
from semigen.deep.gan.losses import real_loss
from semigen.deep.gan.model import GAN
from semigen.deep.training.model import LossTerms
from semigen.ensemble.auto import AutoClassifier
from semigen.representation import HybridClassifier

Options = Mapping[str, Any]


@dataclass(frozen=True)
class M1:
    """Features that see all rows and no labels. Recipes of the same one share it.

    Attributes
    ----------
    options : dict
    view : callable or None
        What M1 sees of the rows; None: the rows.
    """

    options: Options
    view: Callable[[Any], Any] | None = None


@dataclass(frozen=True)
class Recipe:
    """How a classifier is made.

    Attributes
    ----------
    make : callable
        From the seed and what has been fitted beneath.
    beneath : sequence of M1
    without : callable
        A context in which a part of the model is left out.
    """

    make: Callable[[int, Any], Any]
    beneath: Sequence[M1] = ()
    without: Callable[[], AbstractContextManager[Any]] = field(default=nullcontext)


def m2(features: Options | None = None, without: Any = nullcontext, **options: Any) -> Recipe:
    """M2, or with ``features`` M1+M2."""

    def make(seed: int, fitted: Any) -> Any:
        return VAEClassifier(*map(FrozenEstimator, fitted), random_state=seed, **options)

    return Recipe(make, () if features is None else (M1(features),), without)


def gan(without: Any = nullcontext, **options: Any) -> Recipe:
    """The K+1 GAN."""
    return Recipe(lambda seed, _: GANClassifier(random_state=seed, **options), without=without)


def flow(**options: Any) -> Recipe:
    """The flow mixture."""
    return Recipe(lambda seed, _: FlowMixtureClassifier(random_state=seed, **options))


def on_features(classifier: Any, features: Options, view: Any = None) -> Recipe:
    """Any classifier on M1."""
    return Recipe(
        lambda _, fitted: HybridClassifier(FrozenEstimator(fitted[0]), classifier), (M1(features, view),)
    )


def taught(features: Options, spreading: Any, view: Any = None, **options: Any) -> Recipe:
    """Label spreading on M1, and the supervised part of M2 with convolutions, which learn from each other."""

    def make(seed: int, fitted: Any) -> Any:
        graph = HybridClassifier(FrozenEstimator(fitted[0]), spreading)
        return Taught(graph, VAEClassifier(random_state=seed, **options))

    return Recipe(make, (M1(features, view),))


def of_views(*beneath: M1, view: Any) -> Recipe:
    """Label spreading on several M1 and in one more view, and a linear discriminant that they teach."""

    def make(_: int, fitted: Any) -> Any:
        return Views([*map(FrozenEstimator, fitted), view], EVEN_SPREADING)

    return Recipe(make, beneath)


def labeled_only(classifier: Any) -> Recipe:
    """A classifier of the labeled rows as they are."""
    return Recipe(lambda *_: HybridClassifier(FunctionTransformer(), classifier))


def peer(classifier: Any) -> Recipe:
    """A classifier that takes unlabeled rows, marked -1."""
    return Recipe(lambda *_: classifier)


@contextmanager
def _sampled_class() -> Iterator[None]:
    """The unlabeled bound with one class drawn from q(y | x) instead of the sum: no gradient through it."""

    def sampled(log_q: Tensor, bound: Tensor) -> Tensor:
        drawn = torch.multinomial(log_q.detach().exp().T, 1).T
        return bound.gather(0, drawn)[0] - (log_q.exp() * log_q).sum(dim=0)

    with patch.object(bounds, "unlabeled_bound", sampled):
        yield


@contextmanager
def _deceiving_generator() -> Iterator[None]:
    """A generator that lowers −log D(G(z)), as in a plain GAN, instead of matching features."""

    def loss(model: GAN, real: Tensor, weight: Tensor) -> LossTerms:
        logits, _ = model.discriminator(model.generated())
        value = real_loss(logits)
        return LossTerms(weighted_mean(value, torch.ones_like(value)), {"deceived": value})

    with patch.object(GAN, "_generator_loss", loss):
        yield


SPREADING = peer(LabelSpreading("knn", n_neighbors=7))
FAR_SPREADING = LabelSpreading("knn", n_neighbors=10, alpha=0.99, max_iter=200)
EVEN_SPREADING = Spreading(alpha=0.95, n_steps=100, even=True)
LOGISTIC = LogisticRegression(max_iter=2000)


def digits(n_steps: int) -> dict[str, Recipe]:
    """Small networks for images of 8 × 8 pixels, what a user would pick instead, and what parts are worth."""
    m1 = {
        "likelihood": "bernoulli",
        "n_latent": 20,
        "hidden": (200, 200),
        "n_steps": n_steps,
        "beta": 1.0,
    }
    small = {
        "likelihood": "bernoulli",
        "n_latent": 8,
        "hidden": 128,
        "n_steps": n_steps,
        "batch_size": 100,
        "learning_rate": 5e-3,
        "weight_average": 0.99,
    }
    return {
        "M1+M2": m2(m1, n_latent=10, hidden=(100, 100), n_steps=n_steps),
        "M2": m2(**small),
        "GAN": gan(n_steps=n_steps),
        "M1 + auto": on_features(AutoClassifier(random_state=0, shared_scale=True), m1),
        "M1 + logistic": on_features(LOGISTIC, m1),
        "logistic": labeled_only(LOGISTIC),
        "label spreading": SPREADING,
        "M2 without classification term": m2(**small, alpha=0.0),
        "M2 with sampled y": m2(without=_sampled_class, **small),
        "M2 without average of weights": m2(**small | {"weight_average": 0.0}),
        "GAN without average of weights": gan(n_steps=n_steps, weight_average=0.0),
        "GAN without feature matching": gan(without=_deceiving_generator, n_steps=n_steps),
    }


SHAPES = {"flow mixture": flow(), "label spreading": SPREADING}

SECOND: Options = {
    "likelihood": "bernoulli",
    "n_latent": 2,
    "hidden": 20,
    "network": small_convolutions,
    "image_shape": (28, 28),
    "augment": "shift",
    "alpha": 100.0,
    "unlabeled_weight": 0.0,
    "calibrate": 1.0,
    "balanced_batches": True,
    "batch_size": 100,
    "n_steps": 600,
    "learning_rate": 2e-3,
    "weight_average": 0.99,
}
"""The classifier of M2, of which no more than that is wanted."""

CPU_M1 = {"likelihood": "bernoulli", "n_latent": 50, "hidden": (500, 500), "n_steps": 4500, "beta": 1.0}
MNIST_M1 = {**CPU_M1, "beta": 0.5}
"""Draws of black and white are noisier than gray values, so that with beta = 1 latents keep too little."""
MNIST_CPU = {
    "M1+M2": m2(CPU_M1, n_latent=10, hidden=(200, 200), n_steps=4500),
    "M2": m2(likelihood="bernoulli", n_latent=50, hidden=(500,), alpha=50.0, n_steps=3000),
    "GAN": gan(n_steps=5000),
    "M1 + auto": on_features(AutoClassifier(random_state=0, shared_scale=True), CPU_M1),
    "M1 + label spreading": on_features(Spreading(), MNIST_M1),
    "M1 + label spreading, taught": taught(MNIST_M1, Spreading(), **SECOND),
    "M1 + logistic": on_features(LOGISTIC, CPU_M1),
    "logistic": labeled_only(LOGISTIC),
}
GRADIENTS_M1 = {**CPU_M1, "n_steps": 2000, "beta": 0.2}
FASHION_CPU = {
    "M1 of gradients + label spreading": on_features(EVEN_SPREADING, GRADIENTS_M1, gradients),
    "M1 of gradients + label spreading, taught": taught(
        GRADIENTS_M1, EVEN_SPREADING, gradients, **{**SECOND, "augment": "shift and flip"}
    ),
    "M1 of pixels and of gradients": of_views(
        M1({**MNIST_M1, "n_steps": 2000}),
        M1(GRADIENTS_M1, gradients),
        view=make_pipeline(FunctionTransformer(gradients), PCA(50, random_state=0)),
    ),
    "M1 + label spreading": on_features(FAR_SPREADING, CPU_M1),
    "M1 + auto": MNIST_CPU["M1 + auto"],
    "M1 + label spreading, taught": taught(CPU_M1, Spreading(), **SECOND),
    "label spreading": peer(FAR_SPREADING),
    "forest": labeled_only(RandomForestClassifier(500, random_state=0)),
}

GPU_M1 = {**CPU_M1, "hidden": (600, 600), "n_steps": 150_000, "learning_rate": 3e-4, "weight_average": 0.9999}
MNIST_GPU = {
    "M1+M2": m2(
        GPU_M1, n_latent=10, hidden=(500,), n_steps=100_000, learning_rate=3e-4, weight_average=0.9999
    ),
    "M2": m2(
        likelihood="bernoulli",
        n_latent=50,
        hidden=(600, 600),
        alpha=50.0,
        n_steps=150_000,
        learning_rate=3e-4,
        weight_average=0.9999,
    ),
    "GAN": gan(n_steps=180_000),
    "GAN with pull-away and entropy": gan(n_steps=180_000, pull_away_weight=1.0, entropy_weight=1.0),
    "M1 + logistic": on_features(LOGISTIC, GPU_M1),
    "logistic": MNIST_CPU["logistic"],
}
