"""The deep models that ``fit`` can learn; loading this file loads PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray
from sklearn.frozen import FrozenEstimator

from semigen import columns
from semigen.cli.images import ImageForm
from semigen.cli.models import Judged, Recipe, against, cure, finite
from semigen.cli.rows import Rows, Task
from semigen.common.progress import Progress
from semigen.deep import FlowMixtureClassifier, GANClassifier, VAEClassifier, VAEFeatures, class_grid
from semigen.deep.vae.features import COLLAPSED
from semigen.exceptions import ParameterError

SAMPLES_A_CLASS = 10
_FEW_CELLS = 256
"""Of images with fewer numbers M2 of the pixels is better than M1+M2: benchmarks.deep has digits of 64, and
MNIST of 784, where it is the other way round."""

_LEAST_SHOWN = 64  # pixels of an image in a grid


def default_steps(model: str) -> int:
    """Optimizer steps of a fit where the user names none."""
    return int({"vae": VAEClassifier, "gan": GANClassifier, "flow": FlowMixtureClassifier}[model]().n_steps)


def has_features(rows: Rows) -> bool:
    """Whether a VAE of these rows stands on features (M1+M2)."""
    return rows.images is not None and rows.features.shape[1] >= _FEW_CELLS


def samples(model: Any, form: ImageForm, seed: int) -> NDArray[Any]:
    """A grid of images that a model makes, one row a class; small ones are enlarged by a whole number."""
    shape = (form.channels, form.height, form.width)
    grid = class_grid(model, SAMPLES_A_CLASS, random_state=seed, image_shape=shape)
    scale = max(1, _LEAST_SHOWN // max(form.height, form.width))
    return grid.repeat(scale, axis=0).repeat(scale, axis=1)


# --- how models are made


def _vae(rows: Rows, task: Task) -> Any:
    """M2 of the columns of a table and of small images, M1+M2 of others.

    M1 is learned once, from all images: no label is in it, so nothing leaks to hidden rows.
    """
    if rows.images is None or not has_features(rows):
        return _m2_of_cells(rows, task)
    features = VAEFeatures(_likelihood(rows.images), random_state=task.seed, **_steps(task))
    return _m2(rows, task, features=FrozenEstimator(features.fit(rows.features)))


def _m2_of_cells(rows: Rows, task: Task) -> Any:
    likelihood = rows.family if rows.images is None else _likelihood(rows.images)
    return _m2(rows, task, likelihood=likelihood)


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
    """M2 without unlabeled rows; of images on their pixels, as M1 learns its features from all of them."""
    return _m2_of_cells(rows, task).set_params(unlabeled_weight=0.0)


def _supervised(make: Callable[[Rows, Task], Any]) -> Callable[[Rows, Task], Any]:
    return lambda rows, task: make(rows, task).set_params(unlabeled_weight=0.0)


def _steps(task: Task) -> dict[str, Any]:
    return {} if task.steps is None else {"n_steps": task.steps}


def _likelihood(form: ImageForm) -> str:
    """Gray as on handwriting and masks, nearly black and white; of colors the shades themselves matter."""
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
