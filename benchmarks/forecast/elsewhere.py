"""Which models were better than AutoClassifier on other tables: ``python -m benchmarks.forecast.elsewhere``.

From the stored results of :mod:`benchmarks.accuracy`: errors on test rows, means over three draws, of its
mixed tables, tables of R packages and unseen ones. Writes what ``semigen.forecast`` says of them, and how
right that is for a collection of tables whose results it does not know.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy import models
from benchmarks.accuracy.learning import RELATIVES
from benchmarks.accuracy.outcomes import Results
from benchmarks.accuracy.splits import SUITES
from benchmarks.judgement.learning import MORE_RELATIVES
from benchmarks.markdown import table
from semigen.evaluation.intervals import share_of
from semigen.judgement.crossovers import ENSEMBLE

Array = NDArray[np.float64]

HERE = Path(__file__).resolve().parent
LEARNED = HERE.parents[1] / "src/semigen/judgement/elsewhere.json"
PAGE = HERE / "elsewhere.md"
COLLECTIONS = ("mixed", "packages", "unseen")
OTHERS = {"LogReg": "logistic regression", "RF": "a random forest", "HistGB": "gradient boosting"}
BUDGETS = (5, 20, 100)
POINT = 0.01
"""The difference of two errors from which one is called better."""
BINS = (0.0, 0.05, 0.1, 0.2, 1.0)
DIGITS = 4


@dataclass(frozen=True)
class Seen:
    """What happened on a table: whether the other model was ahead, and whether both were alike."""

    collection: str
    source: str
    other: str
    per_class: int
    ahead: bool
    alike: bool


def seen() -> list[Seen]:
    """Every table, model and number of labels."""
    relatives, found = RELATIVES | MORE_RELATIVES, []
    for collection in COLLECTIONS:
        results = Results.read(SUITES[collection])
        for data, per_class in results.cells:
            error = {
                name: results.values((data, per_class), name, "err").mean() for name in (models.AUTO, *OTHERS)
            }
            source = relatives.get(data, data)
            for name, other in OTHERS.items():
                change = error[name] - error[models.AUTO]
                found.append(
                    Seen(collection, source, other, per_class, change < -POINT, abs(change) <= POINT)
                )
    return found


def shares(cases: Sequence[Seen]) -> dict[str, float]:
    """Shares of the tables; those of one source count as one."""
    sources = [one.source for one in cases]
    weight = np.array([1 / sources.count(one) for one in sources])

    def share(values: Sequence[bool]) -> float:
        return round(float(weight @ np.array(values)) / weight.sum(), DIGITS)

    return {
        "ahead": share([one.ahead for one in cases]),
        "alike": share([one.alike for one in cases]),
        "tables": round(weight.sum()),
    }


def learned(cases: Sequence[Seen]) -> dict[str, dict[str, dict[str, float]]]:
    """By model and labels per class."""
    return {
        other: {
            str(n): shares([one for one in cases if (one.other, one.per_class) == (other, n)])
            for n in BUDGETS
        }
        for other in OTHERS.values()
    }


def page(cases: Sequence[Seen]) -> str:
    """What was learned, and how right it is elsewhere, in Markdown."""
    lines = []
    for other, by_budget in learned(cases).items():
        for n, one in by_budget.items():
            behind = 1 - one["ahead"] - one["alike"]
            cells = [f"{one['tables']}", _estimate(one["ahead"], one["tables"]), _percent(one["alike"])]
            lines.append([other, n, *cells, _percent(behind)])
    said, came, own, by_collection = [], [], [], []
    for collection in COLLECTIONS:
        mine = [one for one in cases if one.collection == collection]
        sources = {one.source for one in mine}
        known, here = learned([one for one in cases if one.source not in sources]), learned(mine)
        for other, n in product(OTHERS.values(), BUDGETS):
            of = [case.ahead for case in mine if (case.other, case.per_class) == (other, n)]
            both = [each[other][str(n)]["ahead"] for each in (known, here)]
            said += [both[0]] * len(of)
            came += of
            own += [float(np.mean(of))] * len(of)
            by_collection.append([f"{collection}, {other}", f"{n}", f"{len(of)}", *map(_percent, both)])
    stated, happened = np.array(said), np.array(came)
    reliability = []
    for low, high in pairwise(BINS):
        inside = (low <= stated) & (stated < high)
        cells = [_percent(stated[inside].mean()), _estimate(happened[inside].mean(), inside.sum())]
        reliability.append([f"{100 * low:.0f}–{100 * high:.0f} %", f"{inside.sum()}", *cells])
    head = [
        "model",
        "labels per class",
        "tables",
        f"better than {ENSEMBLE} (95 %)",
        "within a point",
        "worse",
    ]
    n_sources = len({one.source for one in cases})
    return "\n".join(
        [
            f"# Which models were better than `{ENSEMBLE}` elsewhere",
            "",
            "`python -m benchmarks.forecast.elsewhere`, from the stored results of "
            f"`python -m benchmarks.accuracy`: {n_sources} tables (those of one source count as one), errors "
            "on test rows, means over three draws. *Better*: by more than a point.",
            "",
            table(head, lines),
            "",
            "## Collections left out",
            "",
            "What the tables of the two other collections say of each, beside what came: log-loss "
            f"{log_loss(stated, happened):.3f} nats, {log_loss(np.array(own), happened):.3f} by the shares "
            f"that came, {np.log(2):.3f} by a coin.",
            "",
            table(["said", "tables and models", "said in the mean", "came (95 %)"], reliability),
            "",
            table(["collection, model", "labels per class", "tables", "said", "came"], by_collection),
            "",
        ]
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _estimate(share: float, n: float) -> str:
    found = share_of(share, n)
    return f"{_percent(share)} ({100 * found.low:.0f} to {100 * found.high:.0f})"


def log_loss(said: Array, came: NDArray[np.bool_]) -> float:
    """Mean over cases, in nats."""
    likelihood = np.where(came, said, 1 - said)
    return -float(np.log(np.maximum(likelihood, 1e-6)).mean())


def main() -> None:
    cases = seen()
    LEARNED.write_text(json.dumps(learned(cases), indent=1) + "\n", encoding="utf-8")
    text = page(cases)
    PAGE.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
