"""The deep models; loading this file loads PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pyarrow as pa
from numpy.typing import NDArray

from semigen import columns
from semigen.cli.recipes.judging import cure, judged_by_folds
from semigen.cli.recipes.records import Families, Options, Recipe
from semigen.cli.sources import ImageSource, Source
from semigen.cli.sources.columns import FAMILY_OF_WORD, KINDS
from semigen.cli.wording import counted
from semigen.columns import Kind
from semigen.columns.kinds import ENCODED
from semigen.common.plain import plain
from semigen.deep import FlowMixtureClassifier, GANClassifier, VAEClassifier, VAEFeatures, class_grid
from semigen.deep.estimator import n_steps_of
from semigen.deep.selection import WITH, WITHOUT
from semigen.deep.vae.features import COLLAPSED
from semigen.exceptions import ParameterError
from semigen.io.images import ImageForm

SAMPLES_PER_CLASS = 10
_FEW_CELLS = 256
"""For images with fewer numbers M2 of the pixels is better than M1+M2: benchmarks.deep has digits of 64, and
MNIST of 784, where it is the other way round."""

_LEAST_SHOWN = 64  # pixels of an image in a grid

_MODELS = {"vae": VAEClassifier, "gan": GANClassifier, "flow": FlowMixtureClassifier}

# Independent counts say too little of pixels and grades; given latents, they are what counts are.
_LIKELIHOODS = Families(
    ("gaussian", "categorical", "bernoulli", "poisson", "negative_binomial"),
    cast("dict[Kind, str]", {kind: FAMILY_OF_WORD[kind] for kind in KINDS if kind not in ENCODED}),
)


def announcement(source: Source, options: Options) -> str:
    """How many optimizer steps there will be."""
    steps = options.steps or n_steps_of(_MODELS[options.model](), source.n_rows)
    first = "features of all images, then " if options.model == "vae" and _has_features(source) else ""
    return f"{first}{counted(steps, 'step')} (--steps), and half as many for each fold of labels held out"


def samples(model: Any, form: ImageForm, seed: int) -> NDArray[Any]:
    """A grid of images that a model makes, one row per class; small ones are enlarged by a whole number."""
    shape = (form.channels, form.height, form.width)
    grid = class_grid(model, SAMPLES_PER_CLASS, random_state=seed, image_shape=shape)
    scale = max(1, _LEAST_SHOWN // max(form.height, form.width))
    return grid.repeat(scale, axis=0).repeat(scale, axis=1)


# --- how models are made


def _has_features(source: Source) -> bool:
    """Whether a VAE of these rows stands on features (M1+M2)."""
    return isinstance(source, ImageSource) and source.rows.features.shape[1] >= _FEW_CELLS


def _vae(source: Source, options: Options) -> Any:
    """M2 of the columns of a table and of small images, M1+M2 of others."""
    if not isinstance(source, ImageSource) or not _has_features(source):
        return _m2_of_cells(source, options)
    features = VAEFeatures(_likelihood(source.form), random_state=options.seed, **_training(options))
    return _m2(options, features=features)


def _m2_of_cells(source: Source, options: Options) -> Any:
    if isinstance(source, ImageSource):
        return _m2(options, likelihood=_likelihood(source.form))
    return _m2(options, likelihood=source.family(_LIKELIHOODS.of_kind))


def _m2(options: Options, **parameters: Any) -> Any:
    return VAEClassifier(unlabeled=None, random_state=options.seed, **_training(options), **parameters)


def _gan(source: Source, options: Options) -> Any:
    unit_cells = True if isinstance(source, ImageSource) else "auto"
    return GANClassifier(
        unit_cells=unit_cells, unlabeled=None, random_state=options.seed, **_training(options)
    )


def _flow(_: Source, options: Options) -> Any:
    """With a warm-up of a third of the steps, as by default, where they are fewer."""
    model = FlowMixtureClassifier(unlabeled=None, random_state=options.seed, **_training(options))
    return model.set_params(warmup_steps=min(model.warmup_steps, model.n_steps // 3))


def _training(options: Options) -> dict[str, Any]:
    return {"n_jobs": options.jobs} | ({} if options.steps is None else {"n_steps": options.steps})


def _likelihood(form: ImageForm) -> str:
    """Gray as on handwriting and masks, nearly black and white; of colors the shades themselves matter."""
    return "bernoulli" if form.channels == 1 else "continuous_bernoulli"


def _as_they_are_read(source: Source, options: Options) -> Source:
    """Store columns so that they are read as ``--as`` says: a GAN and a flow have no parameter for it.

    Raises
    ------
    ColumnError
        If values cannot be read in that way.
    ParameterError
        If a GAN would read a column as another kind. A VAE has a likelihood for it, and to a flow all
        numbers are the same.
    """
    if isinstance(source, ImageSource):
        return source
    with cure(source):
        wanted, _ = columns.learn(source.rows.features, source.kinds)
    table: pa.Table = source.rows.features
    for name, kind in wanted.input_kinds.items():
        j = table.column_names.index(name)
        if kind == "category" and not pa.types.is_dictionary(table.schema.types[j]):
            table = table.set_column(j, name, table.column(j).dictionary_encode())
    if options.model == "gan":
        found, _ = columns.learn(table)
        for name, kind in wanted.input_kinds.items():
            other = found.input_kinds.get(name, "an identifier")
            if kind != other:
                raise ParameterError(
                    f"--as {name}={kind}: --model gan always reads this column as {other}. Leave it out with "
                    f"--drop {name}, or choose another --model."
                )
    return replace(source, rows=replace(source.rows, features=table))


# --- what the summary says about them


def _about(model: Any) -> dict[str, Any]:
    about = {
        **_about_training(model),
        "unlabeled_weight": model.unlabeled_weight_,
        "fallback": None,
        "power": model.calibration_.power,
    }
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
    """How a training went; the parts of its loss are means over its last steps, nats per row."""
    last = {name: plain(float(values[-1])) for name, values in model.history_.items() if name != "step"}
    return {"n_steps": model.n_steps_, "outcome": model.outcome_, "last_report": last}


def _recipe(make: Callable[[Source, Options], Any], families: Families | None = None) -> Recipe:
    judge = judged_by_folds((WITH, WITHOUT), _as_they_are_read)
    return Recipe(make, judge, _about, families, announcement, samples)


DEEP_RECIPES: dict[str, Recipe] = {
    "vae": _recipe(_vae, _LIKELIHOODS),
    "gan": _recipe(_gan),
    "flow": _recipe(_flow),
}
"""By the names that ``--model`` takes."""
