"""The deep models that ``fit`` can learn; loading this file loads PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from semigen import columns
from semigen.cli.images import ImageForm
from semigen.cli.models import Judged, Progress, Recipe, against, cure, finite
from semigen.cli.rows import Rows, Task
from semigen.deep import FlowMixtureClassifier, GANClassifier, VAEClassifier, VAEFeatures
from semigen.deep.vae_features import COLLAPSED
from semigen.exceptions import ParameterError

SAMPLES_A_CLASS = 10


def default_steps(model: str) -> int:
    """Optimiser steps of a fit where the user names none."""
    return int({"vae": VAEClassifier, "gan": GANClassifier, "flow": FlowMixtureClassifier}[model]().n_steps)


def draw(model: Any, form: ImageForm, seed: int) -> tuple[NDArray[Any], list[Any]]:
    """Images that a model makes of each class, and the classes that it makes none of.

    Every class is drawn with the same random numbers.

    Returns
    -------
    images : ndarray of shape (K, 10, channels, height, width)
        From 0 to 1; black where there is none.
    absent : list
        Classes that a GAN's generator makes too rarely.
    """
    classes = model.classes_.tolist()
    images = np.zeros((len(classes), SAMPLES_A_CLASS, form.channels, form.height, form.width))
    absent = []
    for own, label in zip(images, classes, strict=True):
        try:
            rows, _ = model.sample(SAMPLES_A_CLASS, y=label, random_state=seed)
        except ParameterError:
            absent.append(label)
        else:
            own[:] = np.clip(rows, 0.0, 1.0).reshape(own.shape)
    return images, absent


# --- how models are made


def _vae(rows: Rows, task: Task) -> Any:
    """M2 of the columns of a table, M1+M2 of images."""
    if rows.images is None:
        return _m2(rows, task, likelihood=rows.family)
    features = VAEFeatures(_likelihood(rows.images), random_state=task.seed, **_steps(task))
    return _m2(rows, task, features=features)


def _gan(rows: Rows, task: Task) -> Any:
    unit_cells = "auto" if rows.images is None else True
    return GANClassifier(unit_cells=unit_cells, unlabeled=None, random_state=task.seed, **_steps(task))


def _flow(rows: Rows, task: Task) -> Any:
    """With a warm-up of a third of the steps, as by default, where they are fewer."""
    model = FlowMixtureClassifier(unlabeled=None, random_state=task.seed, **_steps(task))
    return model.set_params(warmup_steps=min(model.warmup_steps, model.n_steps // 3))


def _m2(rows: Rows, task: Task, **options: Any) -> Any:
    return VAEClassifier(unlabeled=None, random_state=task.seed, **_steps(task), **options)


def _supervised_vae(rows: Rows, task: Task) -> Any:
    """M2 without unlabelled rows; of images on their pixels, as M1 learns its features from all of them."""
    likelihood = rows.family if rows.images is None else _likelihood(rows.images)
    return _m2(rows, task, likelihood=likelihood, unlabeled_weight=0.0)


def _supervised(make: Callable[[Rows, Task], Any]) -> Callable[[Rows, Task], Any]:
    return lambda rows, task: make(rows, task).set_params(unlabeled_weight=0.0)


def _steps(task: Task) -> dict[str, Any]:
    return {} if task.steps is None else {"n_steps": task.steps}


def _likelihood(form: ImageForm) -> str:
    """Grey as on handwriting and masks, nearly black and white; of colours the shades themselves matter."""
    return "bernoulli" if form.channels == 1 else "continuous_bernoulli"


# --- how they are judged


def _judge(make_twin: Callable[[Rows, Task], Any]) -> Callable[[Any, Rows, Task, Progress], Judged]:
    """Against a supervised twin, on columns that look like what they were read as."""

    def judge(model: Any, rows: Rows, task: Task, progress: Progress) -> Judged:
        if rows.images is None:
            rows = replace(rows, features=_as_they_are_read(rows, task))
        return against(make_twin)(model, rows, task, progress)

    return judge


def _as_they_are_read(rows: Rows, task: Task) -> pa.Table:
    """Columns that are read as the user said without being told, since a GAN and a flow cannot be told.

    Raises
    ------
    ColumnError
        If cells cannot be read as the user said.
    ParameterError
        If a GAN would read a column otherwise. A VAE has a likelihood for it, and a flow takes all numbers
        alike.
    """
    with cure(task):
        wanted, _ = columns.learn(rows.features, rows.kinds)
    table: pa.Table = rows.features
    for j, kind in enumerate(wanted.kinds):
        if kind == "category" and not pa.types.is_dictionary(table.schema.types[j]):
            table = table.set_column(j, table.column_names[j], table.column(j).dictionary_encode())
    if task.model == "gan":
        found, _ = columns.learn(table)
        for name, kind, other in zip(wanted.names or (), wanted.kinds, found.kinds, strict=True):
            if kind != other:
                raise ParameterError(
                    f"--as {name}={dict(task.read_as).get(name, kind)}: --model gan reads this column as "
                    f"{other}, whatever is said. Leave it out with --drop {name}, or choose another --model."
                )
    return table


# --- what the summary says about them


def _about(model: Any) -> dict[str, Any]:
    about = _about_training(model)
    features = getattr(model, "features_", None)
    if features is not None:
        about["features"] = {
            **_about_training(features),
            "likelihood": features.likelihood,
            "n_features": int(features.active_.sum()),
            "collapsed": bool(features.kl_.max() < COLLAPSED),
        }
    return about


def _about_training(model: Any) -> dict[str, Any]:
    """How a training went; the parts of its loss are means over its last steps, nats a row."""
    last = {name: finite(float(values[-1])) for name, values in model.history_.items() if name != "step"}
    return {"n_steps": model.n_steps_, "outcome": model.outcome_, "last_report": last}


DEEP_RECIPES: dict[str, Recipe] = {
    "vae": Recipe(_vae, _judge(_supervised_vae), _about),
    "gan": Recipe(_gan, _judge(_supervised(_gan)), _about),
    "flow": Recipe(_flow, _judge(_supervised(_flow)), _about),
}
"""By the names that ``--model`` takes."""
