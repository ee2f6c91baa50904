"""``semigen fit``: from a table or images with some labels to a model and a prediction for every row."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from semigen.cli.console import Output, exit_codes


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
    """Covariance of the Gaussian of each class."""

    full = "full"
    tied = "tied"
    diag = "diag"
    spherical = "spherical"
    low_rank = "low_rank"


_MODELS_WITH = {
    "--covariance": (Model.mixture, Model.safe),
    "--time-budget": (Model.auto,),
    "--jobs": (Model.auto, Model.safe, Model.hybrid),
    "--steps": (Model.vae, Model.gan, Model.flow),
}
_WITHOUT_WORDS = _MODELS_WITH["--steps"]


def fit(
    target: Annotated[
        str, typer.Option(help="Column with the classes; empty cells are unlabeled.", metavar="COL")
    ],
    table: Annotated[
        Path | None, typer.Argument(help="CSV or TSV (plain or .gz) or Parquet.", metavar="TABLE")
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(help="Learn from the images in a folder instead, with --labels.", metavar="DIR"),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            help="Table with names of image files and the target; other images are unlabeled.",
            metavar="FILE",
        ),
    ] = None,
    image_size: Annotated[
        str | None,
        typer.Option(help="Pixels that every image is resized to.", metavar="HEIGHTxWIDTH"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the results; default: <table>-semigen here.", metavar="DIR"),
    ] = None,
    id_: Annotated[
        str | None,
        typer.Option(
            "--id",
            help="Column that names the rows; kept, not learned from. With --labels: the files; default: the "
            "first.",
            metavar="COL",
        ),
    ] = None,
    drop: Annotated[
        list[str] | None, typer.Option(help="Column to leave out; repeatable.", metavar="COL")
    ] = None,
    as_: Annotated[
        list[str] | None,
        typer.Option(
            "--as",
            help="How to read a column: number, count, flag, category, or for a mixture a family "
            "(poisson …); repeatable.",
            metavar="COL=KIND",
        ),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(
            help="Column of text to learn from its words, and from nothing else; repeatable.", metavar="COL"
        ),
    ] = None,
    weight: Annotated[
        str | None, typer.Option(help="Column with row weights, 0 or more.", metavar="COL")
    ] = None,
    model: Annotated[
        Model,
        typer.Option(
            help="auto: a pool of models, weighed by hidden labels; mixture: a density of each class by EM; "
            "safe: a mixture that uses unlabeled rows as far as hidden labels show that they help; "
            "hybrid: regression on clusters of all rows; vae, gan, flow: networks (extra 'deep')."
        ),
    ] = Model.auto,
    time_budget: Annotated[
        float | None,
        typer.Option(help="Seconds that the models of auto may take.", min=0, metavar="SECONDS"),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(help="Threads; default: one for each processor.", min=1, metavar="N")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Optimizer steps of each fit of vae, gan or flow.", min=1, metavar="N")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of every random choice.", min=0, max=2**31 - 1)] = 0,
    unlabeled: Annotated[
        str | None, typer.Option(help="A cell that means 'no label', such as -1 or '?'.", metavar="TEXT")
    ] = None,
    covariance: Annotated[
        CovarianceShape | None,
        typer.Option(
            help="Of a mixture's numbers; default: tied, one for all classes, the safest with few labels."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summary as JSON, and nothing else.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing results.")] = False,
) -> None:
    """Learn from the labeled and the unlabeled rows of TABLE, predict every row.

    Writes model.semigen, predictions.csv (class and probabilities of every row)
    and summary.json. With --images DIR --labels FILE a row is an image.

    Numbers, true/false and categories are used, with their missing cells. Text
    (without --text), dates, ids and constants are not; you are told what each
    column was read as, or why it is not used.

    If labeled rows that are hidden in turn show that the unlabeled rows hurt,
    the saved model learns from the labeled rows only.
    """
    read_as = tuple(_pair(word) for word in as_ or ())
    _refuse_repeated(
        {
            "--target": [target],
            "--id": [id_] if id_ else [],
            "--weight": [weight] if weight else [],
            "--drop": drop or [],
            "--as": [name for name, _ in read_as],
            "--text": text or [],
        }
    )
    _refuse_for_another(
        model,
        {"--covariance": covariance, "--time-budget": time_budget, "--jobs": jobs, "--steps": steps},
    )
    if text and covariance:
        raise typer.BadParameter("with --text only words are learned from, and --covariance is for numbers.")
    if text and model in _WITHOUT_WORDS:
        raise typer.BadParameter(
            f"--model {model.value} does not learn from words (--text): use --model auto, "
            "mixture, safe or hybrid."
        )
    columns = {"--drop": drop, "--as": as_, "--text": text, "--weight": weight}
    _refuse_unlike_source(table, images, {"--labels": labels, "--image-size": image_size}, columns)
    size = None if image_size is None else _size(image_size)
    with exit_codes():
        from semigen.cli.outputs import complete_folder
        from semigen.cli.rows import Task
        from semigen.cli.tables import table_format
        from semigen.cli.training import MODEL, learn, results_of, write

        output = Output(as_json)
        source = images or table
        assert source is not None
        name = source.name[: -len(table_format(source))] if table else source.resolve().name
        folder = out or Path(f"{name}-semigen")
        if images and folder.resolve().is_relative_to(images.resolve()):
            raise typer.BadParameter(
                f"{folder} is in the folder of the images, which the next fit reads: choose another --out."
            )
        task = Task(
            source,
            target,
            labels=labels,
            image_size=size,
            id=id_,
            drop=tuple(drop or ()),
            read_as=read_as,
            text=tuple(text or ()),
            weight=weight,
            unlabeled=unlabeled,
            model=model.value,
            covariance=(covariance or CovarianceShape.tied).value,
            time_budget=time_budget,
            jobs=jobs,
            steps=steps,
            seed=seed,
        )
        results = results_of(task)
        with complete_folder(folder, results, force=force) as unfinished:
            learned = learn(task, output)
            with output.progress("writing"):
                write(learned, unfinished)
        output.say()
        output.say(f"Results are in {folder}: {', '.join(results)}", wrap=False)
        command = shlex.join(["semigen", "predict", str(folder / MODEL)])
        new = "--images NEW_DIR" if images else "NEW_TABLE"
        output.say(f"Next: {command} {new} --out FILE", wrap=False)
        output.result({**learned.summary, "out": str(folder)})


def _pair(word: str) -> tuple[str, str]:
    """Column and kind of ``column=kind``; the column's name may contain ``=``."""
    name, separator, kind = word.rpartition("=")
    if not (separator and name and kind):
        raise typer.BadParameter(f"--as {word}: write COLUMN=KIND, such as --as zip=category.")
    return name, kind


def _refuse_repeated(columns: dict[str, list[str]]) -> None:
    """Refuse a column that several options, or one option twice, say something about."""
    said: dict[str, str] = {}
    for option, names in columns.items():
        for name in names:
            if name in said:
                raise typer.BadParameter(f"column {name!r} cannot be in {said[name]} and in {option}.")
            said[name] = option


def _size(text: str) -> tuple[int, int]:
    """Height and width of ``28x28``."""
    found = re.fullmatch(r"([1-9]\d{0,4})[xX]([1-9]\d{0,4})", text)
    if found is None:
        raise typer.BadParameter(f"--image-size {text}: write HEIGHTxWIDTH in pixels, such as 28x28.")
    return int(found[1]), int(found[2])


def _refuse_unlike_source(
    table: Path | None, images: Path | None, of_images: Mapping[str, object], of_tables: Mapping[str, object]
) -> None:
    """Refuse two sources or none, and options of the other one."""
    if table is None and images is None:
        raise typer.BadParameter("say what to learn from: TABLE, or --images DIR with --labels FILE.")
    if table is not None and images is not None:
        raise typer.BadParameter("TABLE and --images are both given: learn from one of them.")
    if images is not None and of_images["--labels"] is None:
        raise typer.BadParameter("--images needs --labels FILE, a table of file names and their classes.")
    stray = [option for option, value in (of_tables if images else of_images).items() if value]
    if stray:
        which = "the columns of TABLE, and images have none" if images else "images: add --images DIR"
        raise typer.BadParameter(f"{', '.join(stray)} is for {which}.")


def _refuse_for_another(model: Model, given: dict[str, object]) -> None:
    """Refuse an option that only other models have."""
    for option, value in given.items():
        if value is not None and model not in _MODELS_WITH[option]:
            able = " or ".join(f"--model {one.value}" for one in _MODELS_WITH[option])
            raise typer.BadParameter(
                f"{option} is for {able}, and the model is {model.value!r}: add that, or leave {option} out."
            )
