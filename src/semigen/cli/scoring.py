"""What is said about predictions where the table has the true classes."""

from __future__ import annotations

from rich.table import Table

from semigen.cli.console import Output
from semigen.cli.wording import cell_text, counted, interval, percent, plain_table
from semigen.columns.tables import listing
from semigen.evaluation.scoring import PredictionScore

_MOST_CLASSES = 12  # that a table in a terminal has room for


def say_score(output: Output, score: PredictionScore, target: str) -> None:
    """Say how many predictions are right, how good their probabilities are, and which classes are mixed up.

    Parameters
    ----------
    output : Output
    score : PredictionScore
    target : str
        The name of the column with the true classes.
    """
    rows = counted(score.n_rows, "labeled row")
    loss = interval(score.log_loss, ".3f")
    output.say()
    output.say(f"Predictions compared with {target!r} on {rows} (95 % intervals)", style="bold")
    output.say(f"accuracy {percent(score.accuracy)} %, log-loss {loss} nats per row")
    if score.unknown:
        which = listing([f"{label!r} ({counted(n, 'row')})" for label, n in score.unknown.items()])
        output.say(f"no class of the model, so wrong in any case: {which}")
    output.say()
    output.say(_confusion(score) if len(score.classes) <= _MOST_CLASSES else _recalls(score))
    output.say()
    output.say("Rows that the model was fitted on are predicted better than new ones.")
    output.say()


def _confusion(score: PredictionScore) -> Table:
    names = list(map(cell_text, score.classes))
    table = plain_table(["true class", *names, "predicted right, %"])
    for name, counts, recall in zip(names, score.confusion, score.recall, strict=True):
        table.add_row(name, *map(str, counts), "" if recall is None else percent(recall))
    return table


def _recalls(score: PredictionScore) -> Table:
    table = plain_table(["true class", "rows", "predicted right, %"])
    for label, counts, recall in zip(score.classes, score.confusion, score.recall, strict=True):
        if recall is not None:
            table.add_row(cell_text(label), str(sum(counts)), percent(recall))
    return table
