"""``semigen fit``: from a table or images with some labels to a model and a prediction for every row."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from semigen.cli.config import Config, command_line, config_text
from semigen.cli.console import Output, exit_codes
from semigen.cli.options import (
    FILES_HELP,
    CsvSafe,
    Drop,
    Embeddings,
    Keep,
    Markers,
    Seed,
    StripLabels,
    SummaryAsJson,
    TableOptions,
    Target,
    Weight,
    column_and_kind,
    is_stdin,
    reads_tables,
    refuse_inside,
    results_folder,
    shares_of_classes,
    table_name,
)
from semigen.cli.outputs import out_folder
from semigen.common import interrupts


class Model(StrEnum):
    """What learns."""

    auto = "auto"
    mixture = "mixture"
    safe = "safe"
    hybrid = "hybrid"
    vae = "vae"
    gan = "gan"
    flow = "flow"


class CovarianceShape(StrEnum):
    """Covariance of the Gaussians of a mixture."""

    auto = "auto"
    full = "full"
    tied = "tied"
    diag = "diag"
    spherical = "spherical"
    low_rank = "low_rank"


_MODELS_WITH = {
    "--covariance": (Model.mixture, Model.safe),
    "--class-prior": (Model.auto, Model.mixture, Model.safe),
    "--time-budget": (Model.auto,),
    "--jobs": (Model.auto, Model.safe, Model.hybrid, Model.vae, Model.gan, Model.flow),
    "--steps": (Model.vae, Model.gan, Model.flow),
    "--resume": (Model.auto, Model.mixture),
}


@reads_tables
def fit(
    context: typer.Context,
    target: Target,
    table: Annotated[Path | None, typer.Argument(help=FILES_HELP, metavar="TABLE")] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            help="Learn from the images in this folder instead of a table; needs --labels.", metavar="DIR"
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            help="A journal of 'semigen label', whose labels count over those of TABLE; of images also a "
            "table of their file names and classes.",
            metavar="FILE",
        ),
    ] = None,
    image_size: Annotated[
        str | None,
        typer.Option(help="Resize every image to this many pixels.", metavar="HEIGHTxWIDTH"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the results; default: <table>-semigen in the current folder.",
            metavar="DIR",
            parser=out_folder,
        ),
    ] = None,
    id_: Annotated[
        str | None,
        typer.Option(
            "--id",
            help="Column that identifies the rows: copied to the predictions, not used as a feature. With "
            "--labels, the column of file names; default: the first one.",
            metavar="COL",
        ),
    ] = None,
    drop: Drop = None,
    as_: Annotated[
        list[str] | None,
        typer.Option(
            "--as",
            help="How to read a column, the columns of a pattern ('q*=category') or of a type (integer, "
            "decimal, boolean, text, date): number, count, flag, category, text or date; for mixture, safe "
            "and vae also a family such as poisson; repeatable.",
            metavar="COL=KIND",
        ),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(
            help="Text column, the same as --as COL=text: learn from its words, or from its letters where "
            "cells are names or codes; repeatable.",
            metavar="COL",
        ),
    ] = None,
    weight: Weight = None,
    model: Annotated[
        Model,
        typer.Option(
            help="auto: an ensemble, weighted by performance on held-out labels; mixture: one mixture per "
            "class, fitted by EM; safe: a mixture that uses the unlabeled rows only as far as held-out "
            "labels show that they help; hybrid: logistic regression on mixture features of all rows; vae, "
            "gan, flow: neural networks (extra 'deep')."
        ),
    ] = Model.auto,
    class_prior: Annotated[
        list[str] | None,
        typer.Option(
            help="How frequent the classes are: shared (labeled rows are a random sample; the default), "
            "unlabeled (labeled rows were chosen by their class: learn it from the unlabeled ones), uniform, "
            "or CLASS=SHARE, repeated for each class.",
            metavar="SHARES",
        ),
    ] = None,
    time_budget: Annotated[
        float | None,
        typer.Option(
            help="Seconds that the whole fit may take with auto, predictions of all rows included, roughly.",
            min=0,
            metavar="SECONDS",
        ),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(help="Threads; default: one per processor.", min=1, metavar="N")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Optimizer steps per fit of vae, gan or flow.", min=1, metavar="N")
    ] = None,
    seed: Seed = 0,
    unlabeled: Markers = None,
    strip_labels: StripLabels = False,
    *,
    tables: TableOptions,
    keep: Keep = None,
    csv_safe: CsvSafe = False,
    embeddings: Embeddings = None,
    config: Config = None,
    covariance: Annotated[
        CovarianceShape | None,
        typer.Option(
            help="Covariance of the numeric columns in a mixture; default: auto (one per class, or tied: one "
            "for all, by labels left out)."
        ),
    ] = None,
    as_json: SummaryAsJson = False,
    study: Annotated[
        bool,
        typer.Option(
            "--study",
            help="Also study whether unlabeled rows help and what more labels would bring: parts of the "
            "report that take minutes.",
        ),
    ] = False,
    no_report: Annotated[
        bool, typer.Option("--no-report", help="Write no report.html; 'semigen report' makes it later.")
    ] = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Note beside DIR every half minute how far a fit of --model auto or mixture has come, and "
            "go on from there after an interruption.",
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing results.")] = False,
) -> None:
    """Learn from the labeled and unlabeled rows of TABLE and predict every row.

    Writes model.semigen, predictions.csv (class and probabilities of every row),
    report.html (to look at; extra 'report'), label_next.csv (rows whose label
    teaches most), summary.json, and config.toml to repeat the run. With --images
    DIR --labels FILE, each row is an image.

    Numbers, true/false values, categories, text and dates are used, and may be
    missing. Identifiers and constants are not used; the output says how each
    column was read, or why it was left out.

    If held-out labeled rows show that the unlabeled rows make predictions worse,
    the saved model is trained on the labeled rows alone.
    """
    began = time.perf_counter()
    shares = shares_of_classes(class_prior or [])
    pairs = [column_and_kind(word) for word in as_ or ()]
    _refuse_repeated(
        {
            "--target": [target],
            "--id": [id_] if id_ else [],
            "--weight": [weight] if weight else [],
            "--drop": drop or [],
            "--as": [name for name, _ in pairs],
            "--text": text or [],
        }
    )
    _refuse_for_another(
        model,
        {
            "--covariance": covariance,
            "--class-prior": class_prior,
            "--time-budget": time_budget,
            "--jobs": jobs,
            "--steps": steps,
            "--resume": resume or None,
        },
    )
    columns: dict[str, object] = {"--drop": drop, "--as": as_, "--text": text, "--weight": weight}
    columns |= {"--keep": keep, "--embeddings": embeddings}
    _refuse_unlike_source(table, images, labels, {"--image-size": image_size}, columns)
    size = None if image_size is None else _size(image_size)
    with exit_codes():
        output = Output(as_json)
        with output.progress("loading"):
            reading = tables.reading(
                keep=keep,
                unlabeled=unlabeled,
                strip_labels=strip_labels,
                embeddings=embeddings,
            )
            from semigen.cli.outputs import complete_folder
            from semigen.cli.recipes import Options, recipe_of, refuse_families
            from semigen.cli.sampled import StreamSource
            from semigen.cli.sources import ImageSource, Source, TableSource
            from semigen.cli.sources.journal import with_journal
            from semigen.cli.streams import RULE, checkpoint_folder, is_large, is_pattern
            from semigen.cli.training import (
                CONFIG,
                LABEL_NEXT,
                MODEL,
                REPORT,
                learn,
                result_names,
                rows_to_label,
                write,
            )
            from semigen.cli.wording import counted
            from semigen.exceptions import TableError
            from semigen.reporting.page import missing_extra

        source = images or table
        assert source is not None  # by now, one of them is given
        left_out, read_as = tuple(drop or ()), {**dict(pairs), **dict.fromkeys(text or (), "text")}

        def read(progress: Callable[[int, int, str], None]) -> Source:
            given: dict[str, Any] = {"id_name": id_, "options": reading}
            if images is not None and labels is not None:
                return ImageSource.read(source, target, labels=labels, size=size, progress=progress, **given)
            given |= {"read_as": read_as, "drop": left_out, "weight": weight}
            if is_large(source) and embeddings is None:
                if labels is not None:
                    raise TableError(
                        f"--labels needs all rows in memory, and {RULE}: write the labels into it."
                    )
                if model not in (Model.auto, Model.mixture):
                    raise TableError(
                        f"--model {model.value} needs all rows in memory, and {RULE}: use --model mixture or "
                        "auto, or a part of the table."
                    )
                return StreamSource.sampled(source, target, **given)
            if labels is None:
                return TableSource.read(source, target, **given)
            found = TableSource.read(source, target, least_classes=0, **given)
            return with_journal(found, labels, target, id_, reading)

        several = next(one for one in source.parents if one.is_dir()) if is_pattern(source) else source
        is_one_table = is_stdin(table) or not (images or several.is_dir())
        folder = out or results_folder(table_name(source) if is_one_table else several.resolve().name)
        refuse_inside(source, folder)
        shape = (covariance or CovarianceShape.auto).value
        kept = checkpoint_folder(folder) if resume else None
        options = Options(model.value, shape, time_budget, jobs, steps, seed, kept, began, shares)
        no_page = None if no_report else missing_extra()
        with_page = not no_report and no_page is None
        results = result_names(model.value, images=images is not None, report=with_page)
        given = (table, labels, config, embeddings)
        inputs = [one for one in given if one is not None and not one.is_dir()]
        with complete_folder(folder, results, force=force, inputs=inputs) as unfinished:
            interrupts.keep_in(kept)
            with output.progress("loading"):
                recipe = recipe_of(model.value)  # what is not installed is told before anything is read
            refuse_families(model.value, recipe, read_as)
            learned = learn(recipe, options, read, output, command_line(context), study=study)
            with output.progress("writing") as progress:
                write(learned, unfinished, progress, csv_safe=csv_safe, report=with_page)
                (unfinished / CONFIG).write_text(config_text(context, out=folder), encoding="utf-8")
        output.say()
        output.say(f"Results are in {folder}: {', '.join(results)}", wrap=False)
        if with_page:
            output.say(f"Look at: {folder / REPORT}", wrap=False)
        if no_page is not None:
            again = shlex.join(["semigen", "report", str(folder)])
            output.note(f"{REPORT} is not written: {str(no_page).removesuffix('.')}; then {again}.")
        n_next = len(rows_to_label(learned.summary))
        if n_next:
            output.say(f"Label next: the {counted(n_next, 'row')} of {folder / LABEL_NEXT}", wrap=False)
        command = shlex.join(["semigen", "predict", str(folder / MODEL)])
        new = "--images NEW_DIR" if images else "NEW_TABLE"
        output.say(f"Next: {command} {new} --out FILE", wrap=False)
        output.result({**learned.summary, "out": str(folder)})


def _refuse_repeated(columns: dict[str, list[str]]) -> None:
    """Refuse a column that two options name, or one option twice."""
    said: dict[str, str] = {}
    for option, names in columns.items():
        for name in names:
            if said.get(name) == option:
                raise typer.BadParameter(f"column {name!r} is given twice to {option}.")
            if name in said:
                raise typer.BadParameter(
                    f"column {name!r} cannot be given to both {said[name]} and {option}."
                )
            said[name] = option


def _size(text: str) -> tuple[int, int]:
    """Height and width of ``28x28``."""
    found = re.fullmatch(r"([1-9]\d{0,4})[xX]([1-9]\d{0,4})", text)
    if found is None:
        raise typer.BadParameter(f"--image-size {text}: write HEIGHTxWIDTH in pixels, such as 28x28.")
    return int(found[1]), int(found[2])


def _refuse_unlike_source(
    table: Path | None,
    images: Path | None,
    labels: Path | None,
    of_images: Mapping[str, object],
    of_tables: Mapping[str, object],
) -> None:
    """Refuse two sources or none, and options of the other one."""
    if table is None and images is None:
        raise typer.BadParameter("nothing to learn from: give TABLE, or --images DIR with --labels FILE.")
    if table is not None and images is not None:
        raise typer.BadParameter("TABLE and --images are both given: use one of them.")
    if images is not None and labels is None:
        raise typer.BadParameter("--images needs --labels FILE, a table of file names and their classes.")
    if table is not None and labels is not None and not labels.name.endswith(".journal"):
        raise typer.BadParameter(
            f"--labels {labels}: with TABLE, labels come from a journal. 'semigen query {table} --target COL "
            f"--id COL --filled {labels}' makes one of a table with these two columns: {table}.journal."
        )
    stray = [option for option, value in (of_tables if images else of_images).items() if value]
    if stray:
        which = "the columns of a table, not for images." if images else "images: add --images DIR."
        raise typer.BadParameter(f"{', '.join(stray)} {'is' if len(stray) == 1 else 'are'} for {which}")


def _refuse_for_another(model: Model, given: dict[str, object]) -> None:
    """Refuse an option that only other models have."""
    for option, value in given.items():
        if value is not None and model not in _MODELS_WITH[option]:
            able = " or ".join(f"--model {one.value}" for one in _MODELS_WITH[option])
            raise typer.BadParameter(
                f"{option} is for {able}, not for --model {model.value}: choose another model, or leave out "
                f"{option}."
            )
