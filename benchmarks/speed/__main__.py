"""``python -m benchmarks.speed``: time, memory and scaling of an EM iteration."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import environment
from benchmarks.speed import contenders, measure, memory, report
from benchmarks.speed.problems import KINDS, make

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Measure, print and save."""
    options = _options()
    size = {"rows": options.rows, "features": options.features, "components": options.components}
    found: dict[str, Any] = {
        "environment": environment.describe(),
        "size": {**size, "data_mb": options.rows * options.features * 8 / memory.MB},
        "iterations": measure.ITERATIONS,
        "rounds": options.rounds,
        "memory_iterations": memory.ITERATIONS,
        "peak": measure.peak(),
        "products": measure.products(**size),
        "contest": {},
        "shares": {},
        "shapes": {},
    }
    for kind in KINDS:
        _say(f"One iteration, {kind}")
        problem = make(kind, **size)
        timings = measure.contest(problem, options.rounds, _say)
        found["contest"][kind] = {
            name: {**asdict(timing), "median": timing.median} for name, timing in timings.items()
        }
        found["shares"][kind] = measure.shares(problem)
        _say(f"Covariance shapes, {kind}")
        found["shapes"][kind] = measure.shapes(problem, max(1, options.rounds // 2), _say)
        del problem
    _say("Scaling")
    found["scaling"] = measure.scaling(**size, n_rounds=options.rounds, say=_say)
    _say("Memory")
    found["memory"] = {
        name: memory.beside_data(name, "overlapping", **size)
        for name in contenders.MEASURED
        if not contenders.missing(name)
    }
    predicted = {**size, "rows": options.predict_rows}
    found["predict"] = {**memory.prediction("overlapping", **predicted), "rows": options.predict_rows}
    page = report.page(found)
    print(page)
    options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    options.json.with_suffix(".md").write_text(page, encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--features", type=int, default=32)
    parser.add_argument("--components", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--predict-rows", type=int, default=memory.PREDICTED_ROWS)
    parser.add_argument("--json", type=Path, default=HERE / "results.json", help="the .md goes beside it")
    return parser.parse_args()


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
