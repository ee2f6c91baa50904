"""``semigen demo``: fit and predict on a bundled real table whose true labels are known."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semigen.cli.console import Output, exit_codes
from semigen.cli.outputs import out_folder

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
    table: Annotated[BundledTable, typer.Option(help="Which bundled table.")] = BundledTable.wine,
    out: Annotated[
        Path, typer.Option(help="Folder for the tables and the results.", metavar="DIR", parser=out_folder)
    ] = Path("semigen-demo"),
    seed: Annotated[
        int, typer.Option(help="Seed of all random choices.", min=0, max=2**31 - 1, metavar="N")
    ] = 0,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the results of an earlier demo.")] = False,
) -> None:
    """Fit and predict a real table in which only 10 rows per class keep their label.

    Writes the tables, fits a model to one, predicts the other, and compares the
    predictions with the true labels.
    """
    with exit_codes():
        from semigen.cli.outputs import complete_folder
        from semigen.cli.prediction import predict_file
        from semigen.cli.recipes import Options, recipe_of
        from semigen.cli.sources import TableSource
        from semigen.cli.training import CONFIG, MODEL, REPORT, learn, result_names, write
        from semigen.datasets import bundled_table
        from semigen.evaluation.metrics import accuracy_score
        from semigen.io.tables import read_table
        from semigen.reporting.page import missing_extra

        output = Output(as_json=False)
        bundle = bundled_table(table.value)
        target = bundle.target_name
        known, new, truth, predicted = (
            f"{table.value}{part}.csv" for part in ("", "_new", "_new_truth", "_new_predicted")
        )
        with_page = missing_extra() is None
        names = result_names("auto", images=False, report=with_page)
        results = [f"results/{name}" for name in names if name != CONFIG]
        with complete_folder(out, [known, new, truth, *results, predicted], force=force) as unfinished:
            _write_tables(bundle, [unfinished / name for name in (known, new, truth)], seed)
            learned = learn(
                recipe_of("auto"),
                Options(seed=seed),
                lambda _: TableSource.read(unfinished / known, target, id_name=_ID),
                output,
            )
            for about in (learned.facts, learned.summary):
                about["table"] = str(out / known)
            (unfinished / "results").mkdir()
            with output.progress("writing") as progress:
                write(learned, unfinished / "results", progress, report=with_page)
            paths = (unfinished / "results" / MODEL, unfinished / new, unfinished / predicted)
            predict_file(*paths, output, images=False, id_name=_ID, force=False)
            true = read_table(unfinished / truth)[target].to_pylist()
            guesses = read_table(unfinished / predicted)["predicted"].to_pylist()
        output.say()
        output.say(
            f"The demo knows the true labels: of {len(true)} new rows, which were not used for training, "
            f"{accuracy_score(true, guesses, unlabeled=None):.1%} are predicted correctly.",
            style="bold",
        )
        output.say()
        if with_page:
            output.say(f"Look at: {out / 'results' / REPORT}", wrap=False)
        output.say(f"Everything is in {out}. To repeat it (--force, since the results exist):")
        for command, options, written in (
            (["fit", out / known], ["--target", target, "--id", _ID, "--seed", seed], out / "results"),
            (["predict", out / "results" / MODEL, out / new], ["--id", _ID], out / predicted),
        ):
            words = ["semigen", *command, *options, "--out", written, "--force"]
            output.say(f"  {shlex.join(map(str, words))}", wrap=False)


def _write_tables(bundle: PartlyLabeled, paths: list[Path], seed: int) -> None:
    """Write a table with few labels, one of new rows without any, and the truth about these."""
    import numpy as np
    import pyarrow as pa

    from semigen.datasets import hide_labels
    from semigen.io.writing import write_table

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
