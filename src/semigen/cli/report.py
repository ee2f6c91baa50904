"""How good a model is, in tables and sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from rich.table import Table

from semigen.cli.console import Output
from semigen.cli.recipes.records import Judged
from semigen.cli.wording import counted, interval, percent, plain_table
from semigen.comparison import (
    CLASS_SHARES,
    Comparison,
    Standing,
    explain,
    explain_standing,
)
from semigen.ensemble.explained import assumed_shares, share_alone
from semigen.evaluation.dependence import DEPENDENCE_SHIFT
from semigen.reporting.facts import WITH, WITHOUT

_ROWS = {WITH: "all", WITHOUT: "labeled"}
"""What a model is trained on, in a narrow column."""


def say_result(
    output: Output, judged: Judged, about: dict[str, Any], verdict: str, standings: Sequence[Standing]
) -> None:
    """Say how good a model is on held-out labeled rows, what it consists of, and the verdict.

    Parameters
    ----------
    output : Output
    judged : Judged
    about : dict
        What the summary says about the model.
    verdict : str
        In words.
    standings : sequence of Standing
    """
    output.say()
    if "models" in about:
        _say_ensemble(output, judged, about["models"])
        output.say(assumed_shares(judged.model))
    elif judged.comparison is not None:
        _say_twins(output, judged.comparison)
    if judged.why_not is not None:
        output.say(judged.why_not)
    output.say(verdict)
    for standing in standings:
        output.say(explain_standing(standing))
    if "unlabeled_weight" in about:
        chosen = f"Weight of an unlabeled row (a labeled row has 1): {about['unlabeled_weight']:g}"
        output.say(f"{chosen}; {about['fallback']}" if about["fallback"] else f"{chosen}.")
    if "power" in about:
        output.say(
            f"Predictions are those of the network to the power of {about['power']:.2g}, beside the class "
            "shares: as sure as the held-out rows allow."
        )


def verdict_text(judged: Judged, n_unlabeled: int, *, with_covariance: bool) -> str:
    """The verdict in words, and what it means for the model that is saved.

    Parameters
    ----------
    judged : Judged
    n_unlabeled : int
        Unlabeled rows that the model could learn from.
    with_covariance : bool
        Whether ``--covariance`` is an option of the model.
    """
    said = [explain(judged.verdict, n_unlabeled)]
    if n_unlabeled and not judged.uses_unlabeled:
        said.append("The saved model is trained on the labeled rows alone.")
    share = getattr(judged.model, "supervised_share_", 0.0)
    if 0 < share < 1:
        said.append(share_alone(share, judged.verdict))
    if judged.verdict.hurt and with_covariance:
        said.append("Another --covariance may fit better.")
    return " ".join(said)


def training_notes(about: dict[str, Any]) -> Iterator[str]:
    """What the user should know about how the training of the saved model went."""
    if about.get("converged") is False:
        yield f"EM stopped after {about['n_iter']} iterations, before it converged."
    if about.get("dependence_shift"):
        yield DEPENDENCE_SHIFT
    if about.get("stopped_early"):
        yield "the time budget ended the fit early: some mixtures, folds or models may be missing."
    if "not finite" in (about.get("outcome"), about.get("features", {}).get("outcome")):
        yield (
            "the training diverged: its loss was not finite. The last finite weights are kept; look for "
            "extreme values in the columns."
        )
    if about.get("features", {}).get("collapsed"):
        yield "the learned features carry no information about the images: train for more --steps."


def _say_twins(output: Output, comparison: Comparison) -> None:
    """A model and its supervised twin."""
    table = _table(["trained on"], with_scores=True)
    for name in comparison.names:
        table.add_row(name, *_scores(comparison, name))
    _add_class_shares(table, comparison, 0)
    rows = counted(comparison.rows.size, "labeled row")
    output.say(f"{comparison.n_splits}-fold cross-validation on {rows} (95 % intervals)", style="bold")
    output.say(table)
    output.say()


def _say_ensemble(output: Output, judged: Judged, models: Sequence[dict[str, Any]]) -> None:
    """The models of an ensemble with their weights, and below them the ensemble and its supervised twin."""
    comparison = judged.comparison
    table = _table(["model", "rows", "weight"], with_scores=comparison is not None)
    total = sum(one["weight"] for one in models) or 1.0
    for number, one in enumerate(models, start=1):
        scores = () if comparison is None else _scores(comparison, one["name"])
        share = f"{one['weight'] / total:.0%}"
        table.add_row(
            one["name"], _ROWS[one["trained_on"]], share, *scores, end_section=number == len(models)
        )
    held_out = ""
    if comparison is not None:
        both = zip(judged.pair, _ROWS.values(), strict=True)
        n_unlike = 1 if judged.verdict.outcome == "no unlabeled rows" else 2  # without these, both are one
        for name, rows in islice(both, n_unlike):
            table.add_row(name, rows, "", *_scores(comparison, name))
        _add_class_shares(table, comparison, 2)
        held_out = f" on {counted(comparison.rows.size, 'held-out labeled row')} (95 % intervals)"
    output.say(f"Models of the ensemble{held_out}", style="bold")
    output.say(table)
    output.say()


def _add_class_shares(table: Table, comparison: Comparison, n_empty: int) -> None:
    """The zero line: what needs no column to predict."""
    table.add_row(f"{CLASS_SHARES} alone", *[""] * n_empty, *_scores(comparison, CLASS_SHARES))


def _table(columns: Sequence[str], *, with_scores: bool) -> Table:
    scores = ("accuracy, %", "log-loss, nats") if with_scores else ()
    return plain_table([*columns, *scores], n_left=min(2, len(columns)))


def _scores(comparison: Comparison, name: str) -> tuple[str, str]:
    score = comparison.score(name)
    return percent(score.accuracy), interval(score.log_loss, ".3f")
