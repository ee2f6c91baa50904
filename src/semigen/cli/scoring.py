"""What is said about predictions where the table has the true classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from semigen.cli.console import Output
from semigen.cli.wording import class_text, counted, interval, percent, plain_table
from semigen.columns.tables import listing
from semigen.evaluation.scoring import DecisionScore, PredictionScore
from semigen.reporting.view import ranking_sentence

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
    if score.ranking is not None:
        output.say(
            ranking_sentence(
                score.ranking.to_dict(), "rows of these two classes" if score.unknown else "labeled rows"
            )
        )
    if score.unknown:
        which = listing([f"{label!r} ({counted(n, 'row')})" for label, n in score.unknown.items()])
        output.say(f"no class of the model, so wrong in any case: {which}")
    output.say()
    output.say(_table(score.classes, score, "predicted"))
    output.say()
    if score.decided is not None:
        _say_decided(output, score.classes, score.decided)
    output.say("Rows that the model was fitted on are predicted better than new ones.")
    output.say()


def _say_decided(output: Output, classes: Sequence[Any], decided: DecisionScore) -> None:
    """Say what the classes of least expected cost cost, and which are mixed up."""
    each = zip(decided.cost, classes, strict=True)
    costs = listing([f"{cost:g} of {class_text(one)}" for cost, one in each])
    cost, otherwise = (interval(one, ".3g") for one in (decided.mean_cost, decided.of_most_probable))
    output.say(f"Classes of least expected cost, where missing a row costs {costs}", style="bold")
    output.say(f"cost {cost} per row; of the most probable classes {otherwise}")
    output.say()
    output.say(_table(classes, decided, "decided"))
    output.say()


def _table(classes: Sequence[Any], score: PredictionScore | DecisionScore, verb: str) -> Table:
    """Rows of each true class by what was said, or only how many are right where there are many classes."""
    return (_confusion if len(classes) <= _MOST_CLASSES else _recalls)(classes, score, verb)


def _confusion(classes: Sequence[Any], score: PredictionScore | DecisionScore, verb: str) -> Table:
    names = list(map(class_text, classes))
    table = plain_table(["true class", *names, f"{verb} right, %"])
    for name, counts, recall in zip(names, score.confusion, score.recall, strict=True):
        table.add_row(name, *map(str, counts), "" if recall is None else percent(recall))
    return table


def _recalls(classes: Sequence[Any], score: PredictionScore | DecisionScore, verb: str) -> Table:
    table = plain_table(["true class", "rows", f"{verb} right, %"])
    for label, counts, recall in zip(classes, score.confusion, score.recall, strict=True):
        if recall is not None:
            table.add_row(class_text(label), str(sum(counts)), percent(recall))
    return table
