"""The page of the mixed tables: means, wins and calibration by number of labels, and every table."""

from __future__ import annotations

import numpy as np

from benchmarks.accuracy.models import AUTO, FREQUENCIES, NOTHING, SHARES
from benchmarks.accuracy.outcomes import Cell, Results
from benchmarks.accuracy.splits import GAPS
from benchmarks.markdown import table

SINGLE = ("RF", "LogReg", "HistGB", "LDA-shrink")
"""Baselines that the targets compare with: of the tables that have run, the best on each."""
CLOSE = 0.01
"""Nats."""
RATIO = {5: 0.85, 20: 0.84, 100: 0.93}
WITHIN, STRICTLY, WORST, CALIBRATED = 0.8, 0.6, 0.03, 0.04
MEASURES = (("err", "error"), ("balanced", "balanced error"), ("logloss", "log-loss"), ("auc", "macro AUC"))

Lines = list[tuple[str, str, bool]]


def finished(results: Results, n_labeled: int, methods: tuple[str, ...]) -> list[Cell]:
    """Tables on which all of some methods have run with so many labels per class."""
    cells = [cell for cell in results.cells if cell[1] == n_labeled]
    return [cell for cell in cells if all(len(results.values(cell, name, "err")) for name in methods)]


def calibration_error(results: Results, cells: list[Cell], method: str) -> float:
    """Expected calibration error in bins of the confidence, pooled over cells of equal weight."""
    return float(sum(abs(results.mean_over(cells, method, gap)) for gap in GAPS))


def against(results: Results) -> tuple[str, ...]:
    """What AutoClassifier is compared with: single baselines; where columns carry nothing, constants."""
    return (FREQUENCIES, SHARES) if results.suite.name == NOTHING else SINGLE


def differences(results: Results, cells: list[Cell], measure: str = "logloss") -> np.ndarray:
    """AutoClassifier less the best of those that it is compared with, of each cell."""
    best = [min(results.mean(cell, name, measure) for name in against(results)) for cell in cells]
    return np.array([results.mean(cell, AUTO, measure) for cell in cells]) - best


def targets(results: Results) -> Lines:
    """Target, what was seen, whether that reaches it."""
    found: Lines = []
    for n, most in RATIO.items():
        cells = finished(results, n, (AUTO, *SINGLE))
        if not cells:
            continue
        ours = results.mean_over(cells, AUTO, "logloss")
        ratio = ours / min(results.mean_over(cells, name, "logloss") for name in SINGLE)
        apart = differences(results, cells)
        within, first = float((apart <= CLOSE).mean()), float((apart < 0).mean())
        where = f"{n} labels per class, {len(cells)} tables"
        found += [
            (f"{where}: mean log-loss over that of the best single baseline", f"{ratio:.3f}", ratio <= most),
            (f"{where}: within {CLOSE} nats of the best, or better", f"{within:.2f}", within >= WITHIN),
            (f"{where}: strictly best", f"{first:.2f}", first >= STRICTLY),
        ]
        if n >= 20:
            name = cells[int(apart.argmax())][0]
            found.append((f"{where}: worst", f"{apart.max():+.3f} nats, {name}", apart.max() <= WORST))
        areas = {name: results.mean_over(cells, name, "auc") for name in (AUTO, *SINGLE)}
        ahead = all(areas[AUTO] > areas[name] for name in SINGLE)
        found.append((f"{where}: macro AUC ahead of every baseline", f"{areas[AUTO]:.3f}", ahead))
        error = calibration_error(results, cells, AUTO)
        found.append(
            (f"{where}: calibration error at most {CALIBRATED}", f"{error:.3f}", error <= CALIBRATED)
        )
    return found


def honest(results: Results) -> Lines:
    """Where columns carry nothing: log-loss no higher than without looking at them."""
    found: Lines = []
    for n in results.suite.labels:
        cells = finished(results, n, (AUTO, *against(results)))
        for name in against(results) if cells else ():
            apart = np.array([results.paired(cell, AUTO, name, "logloss").mean() for cell in cells])
            what = f"{n} labels per class, {len(cells)} tables: mean log-loss at most that of {name}"
            found.append((what, f"{apart.mean():+.3f} nats", bool(apart.mean() <= 0)))
    return found


def tables(results: Results) -> list[str]:
    """Means by number of labels, and every table."""
    parts = []
    for n in results.suite.labels:
        cells = finished(results, n, (AUTO, *against(results)))
        if not cells:
            continue
        ran = {name: len(set(finished(results, n, (name,))) & set(cells)) for name in results.methods}
        methods = tuple(name for name, count in ran.items() if count == len(cells))
        parts += [
            f"## {n} labels per class: means of {len(cells)} tables",
            "",
            _means(results, cells, methods),
            "",
        ]
        parts += [f"## {n} labels per class: log-loss of every table", "", _each(results, cells), ""]
    return parts


def _means(results: Results, cells: list[Cell], methods: tuple[str, ...]) -> str:
    head = ["method", *(title for _, title in MEASURES), "calibration error"]
    head += ["best error in", "best log-loss in", "seconds"]
    first = {
        measure: [min(methods, key=lambda name: results.mean(cell, name, measure)) for cell in cells]
        for measure in ("err", "logloss")
    }
    lines = []
    for method in methods:
        means = [f"{results.mean_over(cells, method, measure):.3f}" for measure, _ in MEASURES]
        wins = [str(names.count(method)) for names in first.values()]
        seconds = f"{results.mean_over(cells, method, 'seconds'):.2f}"
        lines.append([method, *means, f"{calibration_error(results, cells, method):.3f}", *wins, seconds])
    return table(head, lines)


def _each(results: Results, cells: list[Cell]) -> str:
    lines = []
    for cell, apart in zip(cells, differences(results, cells), strict=True):
        best = results.best(cell, against(results), "logloss") or ""
        numbers = [f"{results.mean(cell, name, 'logloss'):.3f}" for name in (best, AUTO)]
        lines.append([cell[0], best, *numbers, f"{apart:+.3f}"])
    return table(["table", "best single baseline", "its log-loss", "auto", "auto less it"], lines)
