"""What ``fit`` and ``demo`` share: from a source to a model, predictions and a summary, and to files of them.

No formula is here: recipes learn and judge, this file puts things in order.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from semigen import columns
from semigen.cli.console import Output
from semigen.cli.predictions import count_predictions, predict_table, probabilities_of, readable
from semigen.cli.reading import say_source
from semigen.cli.recipes import DEEP, Judged, Options, Recipe, learn_model
from semigen.cli.report import say_result, training_notes, verdict_text
from semigen.cli.sampled import stream_of
from semigen.cli.sources import ImageSource, Source
from semigen.columns import ReadTable
from semigen.common.progress import Progress
from semigen.data.labels import class_columns
from semigen.exceptions import (
    ColumnWarning,
    ConvergenceWarning,
    DatasetShiftWarning,
    SemigenError,
    TrainingWarning,
)
from semigen.io.models import save
from semigen.io.tables import spreadsheet_safe
from semigen.io.writing import write_table
from semigen.judgement.advice import advise
from semigen.judgement.forecast import forecast
from semigen.reporting.evidence import Evidence, held_out_of
from semigen.reporting.facts import class_rows, standings
from semigen.reporting.held_out import with_advice
from semigen.reporting.page import html_page
from semigen.reporting.record import facts, sections
from semigen.reporting.view import about_parting, about_ranking, about_telling

MODEL, PREDICTIONS, SUMMARY, SAMPLES = "model.semigen", "predictions.csv", "summary.json", "samples.png"
CONFIG, LABEL_NEXT, REPORT = "config.toml", "label_next.csv", "report.html"


@dataclass(frozen=True)
class Learned:
    """A model, the predictions of every row, the summary of both, and a grid of images from the model.

    ``facts`` are the part of the summary that goes into the model's file: all but single rows and columns.
    """

    model: Any
    predictions: pa.Table
    facts: dict[str, Any]
    summary: dict[str, Any]
    samples: NDArray[Any] | None
    stream: Callable[[Any, Path, Progress], None] | None = None
    """Writes the predictions of all rows, where ``predictions`` are those of a sample."""


def result_names(model: str, *, images: bool, report: bool) -> list[str]:
    """The files that a fit writes."""
    more = [*([REPORT] if report else []), *([SAMPLES] if images and model in DEEP else [])]
    return [MODEL, PREDICTIONS, SUMMARY, LABEL_NEXT, CONFIG, *more]


def learn(
    recipe: Recipe,
    options: Options,
    read: Callable[[Progress], Source],
    output: Output,
    command: str | None = None,
    *,
    study: bool = False,
) -> Learned:
    """Read rows, say what is in them, learn from them, and say what came out.

    Parameters
    ----------
    recipe : Recipe
    options : Options
    read : callable
        Reads the source; it is given the progress to report to.
    output : Output
    command : str, optional
        What was typed, for the model card.
    study : bool
        Whether the report also has advice on the unlabeled rows and learning curves, which take minutes.

    Raises
    ------
    SemigenError
        If the rows, their labels or their columns cannot be used.
    """
    begin = time.perf_counter()
    with output.progress("reading") as progress:
        source = read(progress)
    say_source(source, output, None if recipe.announce is None else recipe.announce(source, options))
    with (
        output.warnings_as_notes(ColumnWarning, ConvergenceWarning, TrainingWarning, DatasetShiftWarning),
        output.progress("learning") as progress,
        _ctrl_c_ends_everything(),
    ):
        judged = learn_model(recipe, source, options, source.watched(progress))
    about = _about_model(recipe, judged, source, options)
    text = verdict_text(judged, source.n_learned_unlabeled, with_covariance="covariance" in about)
    names = [one["name"] for one in about.get("models", ())]
    standing = standings(judged.comparison, judged.saved_first[0], names)
    say_result(output, judged, about, text, standing)
    for note in training_notes(about):
        output.note(note)
    with output.warnings_as_notes(), output.progress("predicting"):
        predictions = predict_table(judged.model, source.rows, source.labels.values)
    family = None if recipe.families is None else source.family(recipe.families.of_kind)
    sample = {} if source.stream is None else {"n_sample": len(source.labels.values)}
    known = facts(
        {**source.about(), **sample},
        target=source.labels.target,
        n_rows=source.n_rows,
        n_unlabeled=source.n_unlabeled,
        labeled=class_rows(source.labeled),
        columns=source.about_columns(family),
        model=about,
        comparison=judged.comparison,
        why_not_compared=judged.why_not,
        verdict=judged.verdict,
        text=text,
        standing=standing,
        predicted=count_predictions(predictions),
    )
    samples = _draw(recipe, judged.model, source, options, output)
    evidence = _evidence(judged, source, predictions)
    with output.warnings_as_notes(), output.progress("reporting") as progress:
        found = sections(evidence, progress)
    if ranked := about_ranking(found):
        output.say(ranked)
    if asked := about_telling(found):
        output.note(asked)
    if parted := about_parting(found):
        output.note(parted)
    if study:
        found = with_advice(found | _studied(source, options, output), evidence)
    found["model_card"] |= {
        "command": command,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.perf_counter() - begin, 1),
    }
    summary = {**known, "id_name": evidence.id_name, **found}
    return Learned(judged.model, predictions, known, summary, samples, stream_of(source, known))


def write(
    learned: Learned, folder: Path, progress: Progress, *, csv_safe: bool = False, report: bool = True
) -> None:
    """Write model, predictions, summary, rows to label, report and samples into a folder."""
    save(learned.model, folder / MODEL, notes=learned.facts)
    tables = [(_to_label(learned), LABEL_NEXT)]
    if learned.stream is None:
        tables.append((learned.predictions, PREDICTIONS))
    else:
        learned.stream(learned.model, folder / PREDICTIONS, progress)
    for table, name in tables:
        write_table(spreadsheet_safe(table) if csv_safe else table, folder / name, ".csv")
    text = json.dumps(learned.summary, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / SUMMARY).write_text(text + "\n", encoding="utf-8")
    if report:
        (folder / REPORT).write_text(html_page(learned.summary), encoding="utf-8")
    if learned.samples is not None:
        from semigen.deep import save_image

        save_image(learned.samples, folder / SAMPLES)


def _evidence(judged: Judged, source: Source, predictions: pa.Table) -> Evidence:
    """What the report is made from."""
    classes = judged.model.classes_
    given = source.labels.values
    labeled = np.array([label is not None for label in given.tolist()], dtype=bool)
    code = np.full(len(given), -1, dtype=np.intp)
    code[labeled] = class_columns(given[labeled], classes)
    has_novelty = "novelty" in predictions.column_names
    return Evidence(
        judged.model,
        source.rows.features,
        code,
        probabilities_of(predictions, classes),
        source.rows.ids.to_pylist(),
        source.rows.id_name,
        held_out_of(judged.model, judged.comparison, judged.saved_first),
        log_density=predictions["log_density"].to_numpy() if has_novelty else None,
        uses_unlabeled=judged.uses_unlabeled,
        cells=not isinstance(source, ImageSource),
    )


def _studied(source: Source, options: Options, output: Output) -> dict[str, Any]:
    """Advice on the unlabeled rows, and learning curves; a note where there cannot be one."""
    found: dict[str, Any] = {}
    features, labels = source.rows.features, source.labels.values
    read = ReadTable(*columns.learn(features, source.kinds, sparse=True)) if source.kinds else features
    for name, title, make in (
        ("advice", "advising", partial(advise, features, kinds=source.kinds)),
        ("learning_curve", "forecasting", partial(forecast, read)),
    ):
        try:
            with output.warnings_as_notes(ColumnWarning), output.progress(title) as progress:
                made = make(labels, unlabeled=None, random_state=options.seed, progress=progress)
            found[name] = made.to_dict()
        except SemigenError as error:
            output.note(f"no {name.replace('_', ' ')}: {error}")
    return found


def rows_to_label(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows to label next, or the least certain ones where the model does not know which are alike."""
    asked = summary.get("label_next")
    rows: list[dict[str, Any]] = asked["rows"] if asked else summary["least_certain"]
    return rows


def _to_label(learned: Learned) -> pa.Table:
    """The rows to label next, with an empty column for their labels."""
    rows = rows_to_label(learned.summary)
    target, id_name = learned.summary["target"], learned.predictions.column_names[0]
    columns = {
        id_name: learned.predictions[id_name].take(pa.array([row["row"] for row in rows], pa.int64())),
        target: pa.nulls(len(rows), pa.string()),
        **{name: pa.array([readable(row[name]) for row in rows]) for name in ("predicted", "probability")},
    }
    return pa.table(columns)


def _about_model(recipe: Recipe, judged: Judged, source: Source, options: Options) -> dict[str, Any]:
    """What the summary says about the model that is saved."""
    return {
        "name": options.model,
        "estimator": type(judged.model).__name__,
        "trained_on": judged.trained_on,
        "seed": options.seed,
        **recipe.about(judged.model),
    }


@contextmanager
def _ctrl_c_ends_everything() -> Iterator[None]:
    """Let Ctrl-C end everything, where networks would be kept."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "stopped by Ctrl-C", TrainingWarning)
        try:
            yield
        except TrainingWarning:
            raise KeyboardInterrupt from None


def _draw(
    recipe: Recipe, model: Any, source: Source, options: Options, output: Output
) -> NDArray[Any] | None:
    """Images that the model makes, where it makes some."""
    if recipe.draw is None or not isinstance(source, ImageSource):
        return None
    with output.progress("drawing samples"), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", TrainingWarning)
        grid = recipe.draw(model, source.form, options.seed)
    for one in caught:
        output.note(f"{SAMPLES}: {one.message}")
    return grid
