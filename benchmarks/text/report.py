"""The measurements as one markdown page."""

from __future__ import annotations

from typing import Any

from benchmarks.columns.fits import Fits, mean_sd, targets
from benchmarks.markdown import table
from benchmarks.text.models import AIMS, DEFAULTS, LABELS, MODELS, OURS, TARGETS


def page(fits: Fits, cost: dict[str, Any]) -> str:
    """Targets, accuracy, log-loss, time and memory."""
    stamps = sorted({(row["date"], row["commit"]) for row in fits.rows})
    parts = [
        "# Documents: 20 Newsgroups by date",
        "",
        "Written by `python -m benchmarks.text`; [what it means](../../README.md), "
        "[what was tried](../NOTES.md).",
        "Measured " + ", ".join(f"{date} at {commit}" for date, commit in stamps) + ".",
        f"Training documents are labeled, {len(fits.distinct('seed'))} seeds; accuracy and "
        "log-loss are those of the test split.",
        "",
        *targets(_targets(fits, cost)),
        "## Accuracy, mean ± standard deviation",
        "",
        _grid(fits, "accuracy"),
        "",
        "## Log-loss, nats (probabilities clipped at 1e-6)",
        "",
        _grid(fits, "logloss"),
        "",
        "## Seconds of a fit, one thread",
        "",
        _grid(fits, "seconds", digits=2),
        "",
        "## Iterations",
        "",
        _grid(fits, "n_iter", digits=0),
        "",
        "## Cost of the defaults",
        "",
        *(f"- {name}: {value}" for name, value in cost["environment"].items()),
        "",
        f"{cost['documents']:,.0f} documents, {cost['words']:,.0f} words, {cost['nonzeros']:,.0f} non-zeros "
        f"({cost['data_mb']:.0f} MB).",
        f"An iteration takes {cost['iteration_ms']:.0f} ms (quickest of several runs); with "
        f"{cost['more_nonzeros']:.2f} times the non-zeros {cost['more_seconds']:.2f} times as long.",
        f"Peak memory of a fit and a prediction beside the data: {cost['peak_mb']:.0f} MB.",
        "",
    ]
    return "\n".join(parts)


def _targets(fits: Fits, cost: dict[str, Any]) -> list[tuple[str, str, bool]]:
    lines = []
    for goal, values in (("accuracy", TARGETS), ("aim", AIMS)):
        for n_labels, wanted in values.items():
            seen = fits.values("accuracy", model=DEFAULTS, labels=n_labels)
            text = f"{goal} with {n_labels} labels per class, defaults: at least {wanted:.3f}"
            lines.append((text, mean_sd(seen, 3), bool(seen.mean() >= wanted)))
    for n_labels in LABELS:
        seconds = fits.values("seconds", model=DEFAULTS, labels=n_labels)
        text = f"seconds of a fit with {n_labels} labels per class: at most 3"
        lines.append((text, mean_sd(seconds), bool(seconds.mean() <= 3)))
    peak = cost["peak_mb"]
    lines.append(("MB beside the data: at most 200", f"{peak:.0f}", peak <= 200))
    ratio = cost["more_seconds"] / cost["more_nonzeros"]
    lines.append(("time linear in non-zeros: ratio of ratios at most 1.1", f"{ratio:.2f}", ratio <= 1.1))
    return lines


def _grid(fits: Fits, measure: str, digits: int = 3) -> str:
    head = ["model", *(f"{n} labels" for n in LABELS)]
    rows = []
    for name in MODELS:
        title = f"semigen, {name}" if name in OURS else name
        values = [fits.values(measure, model=name, labels=n) for n in LABELS]
        rows.append([title, *(mean_sd(one, digits) for one in values)])
    return table(head, rows)
