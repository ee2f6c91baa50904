"""``semigen demo``: the whole way on a bundled real table whose hidden labels are known."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semigen.cli.console import Output, exit_codes

if TYPE_CHECKING:
    from semigen.datasets import PartlyLabeled

_ID, _LABELS_PER_CLASS, _NEW_SHARE = "sample", 10, 0.3


class BundledTable(StrEnum):
    """Tables that come with scikit-learn."""

    breast_cancer = "breast_cancer"
    wine = "wine"
    iris = "iris"
    digits = "digits"


def demo(
    table: Annotated[BundledTable, typer.Option(help="The bundled table.")] = BundledTable.wine,
    out: Annotated[Path, typer.Option(help="Folder for the tables and the results.", metavar="DIR")] = Path(
        "semigen-demo"
    ),
    seed: Annotated[int, typer.Option(help="Seed of every random choice.", min=0, max=2**31 - 1)] = 0,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the results of another demo.")] = False,
) -> None:
    """Show the whole way on a real table of which 10 rows a class keep their label.

    Writes the tables, fits a model to one, predicts the other, and compares with the labels that were hidden.
    """
    with exit_codes():
        from semigen.cli.outputs import complete_folder
        from semigen.cli.prediction import predict_file
        from semigen.cli.rows import Task
        from semigen.cli.tables import read_table
        from semigen.cli.training import MODEL, PREDICTIONS, SUMMARY, learn, write
        from semigen.datasets import bundled_table
        from semigen.evaluation.metrics import accuracy_score

        output = Output(as_json=False)
        bundle = bundled_table(table.value)
        known, new, truth, predicted = (
            f"{table.value}{part}.csv" for part in ("", "_new", "_new_truth", "_new_predicted")
        )
        results = [f"results/{name}" for name in (MODEL, PREDICTIONS, SUMMARY)]
        with complete_folder(out, [known, new, truth, *results, predicted], force=force) as unfinished:
            _write_tables(bundle, [unfinished / name for name in (known, new, truth)], seed)
            task = Task(unfinished / known, bundle.target_name, id=_ID, seed=seed)
            learned = learn(task, output)
            learned.summary["table"] = str(out / known)
            (unfinished / "results").mkdir()
            write(learned, unfinished / "results")
            paths = (unfinished / "results" / MODEL, unfinished / new, unfinished / predicted)
            predict_file(*paths, _ID, output, force=False)
            hidden = read_table(unfinished / truth)[bundle.target_name].to_pylist()
            guesses = read_table(unfinished / predicted)["predicted"].to_pylist()
        output.say()
        output.say(
            f"The demo knows what it hid: of {len(hidden)} new rows, which the model never saw, "
            f"{accuracy_score(hidden, guesses, unlabeled=None):.1%} are predicted right.",
            style="bold",
        )
        output.say()
        output.say(f"Everything is in {out}. The commands for it (--force, since the results are there):")
        for command, options, target in (
            (["fit", out / known], ["--target", task.target, "--id", _ID, "--seed", seed], out / "results"),
            (["predict", out / "results" / MODEL, out / new], ["--id", _ID], out / predicted),
        ):
            words = ["semigen", *command, *options, "--out", target, "--force"]
            output.say(f"  {shlex.join(map(str, words))}", wrap=False)


def _write_tables(bundle: PartlyLabeled, paths: list[Path], seed: int) -> None:
    """Write a table with few labels, one of new rows without any, and the truth about these."""
    import numpy as np
    import pyarrow as pa

    from semigen.cli.tables import write_table
    from semigen.datasets import hide_labels

    names = np.array([f"{_ID} {number:04d}" for number in range(len(bundle.y_true))])
    shuffled = np.random.default_rng(seed).permutation(len(names))
    first = int(_NEW_SHARE * len(names))
    new, known = shuffled[:first], shuffled[first:]

    def features(rows: np.ndarray) -> dict[str, object]:
        return {_ID: names[rows], **dict(zip(bundle.feature_names, bundle.X[rows].T, strict=True))}

    labels = hide_labels(bundle.y_true[known], _LABELS_PER_CLASS, seed)
    for columns, path in zip(
        (
            {**features(known), bundle.target_name: pa.array(labels.tolist())},
            features(new),
            {_ID: names[new], bundle.target_name: bundle.y_true[new]},
        ),
        paths,
        strict=True,
    ):
        write_table(pa.table(columns), path, ".csv")
