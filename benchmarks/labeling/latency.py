"""A large table: start, key press to next item, refit, memory: ``python -m benchmarks.labeling.latency``.

A CSV of 200,000 rows and 20 columns (18 numbers, two of them with gaps, and 2 categories) is opened in a new
process, as ``semigen label`` does; an annotator then presses a key five times a second, while refits run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

N_ROWS = 200_000
PACE = 0.2


def write(path: Path, n_rows: int) -> None:
    rng = np.random.default_rng(0)
    code = rng.integers(3, size=n_rows)
    X = rng.normal(size=(3, 18))[code] + 1.5 * rng.normal(size=(n_rows, 18))
    frame = pd.DataFrame(X.round(4), columns=[f"x{j}" for j in range(18)])
    frame.loc[rng.random(n_rows) < 0.1, "x16"] = np.nan
    frame.loc[rng.random(n_rows) < 0.3, "x17"] = np.nan
    frame["color"] = rng.choice(["red", "green", "blue"], n_rows)
    frame["site"] = rng.choice(list("ABCDEFGH"), n_rows)
    frame.to_csv(path, index=False)
    np.save(path.with_suffix(".npy"), code)


def memory(process: int | str) -> float:
    """Peak resident memory of a process, MB."""
    text = Path(f"/proc/{process}/status").read_text()
    return int(text.split("VmHWM:")[1].split()[0]) / 1000


def session(path: Path, n_answers: int) -> dict[str, Any]:
    """Runs in a process of its own."""
    began, worked = time.perf_counter(), time.process_time()
    from semigen.labeling import Session

    truth = np.load(path.with_suffix(".npy"))
    opened = Session.open(path, target="kind", classes=["0", "1", "2"], journal=path.with_suffix(".journal"))
    item = opened.item("a")
    start, work = time.perf_counter() - began, time.process_time() - worked
    took, fitting = [], []
    for _ in range(n_answers):
        assert item is not None
        time.sleep(PACE)
        fitting.append(opened.state("a")["fitting"])
        since = time.perf_counter()
        opened.answer("a", item["key"], classes=[str(truth[item["row"]])])
        item = opened.item("a")
        opened.state("a")
        took.append(time.perf_counter() - since)
    fits = opened._answers.fits
    learner = opened._loop._learner
    assert learner is not None
    report = {
        "start_s": start,
        "start_cpu_s": work,
        "p50_ms": 1000 * float(np.quantile(took, 0.5)),
        "p95_ms": 1000 * float(np.quantile(took, 0.95)),
        "p95_fitting_ms": 1000 * float(np.quantile(np.array(took)[np.array(fitting)], 0.95)),
        "max_ms": 1000 * max(took),
        "fitting": float(np.mean(fitting)),
        "fits": [(one["n"], round(one["seconds"], 1)) for one in fits],
        "memory_mb": [memory(one) for one in ("self", learner._process.pid)],
        "honest": opened.state("a")["honest"],
    }
    opened.close()
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=N_ROWS)
    parser.add_argument("--answers", type=int, default=200)
    parser.add_argument("--session", type=Path)
    options = parser.parse_args()
    if options.session:
        print(json.dumps(session(options.session, options.answers)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "big.csv"
        write(path, options.rows)
        command = [sys.executable, "-m", "benchmarks.labeling.latency", "--session", str(path)]
        began = time.perf_counter()
        subprocess.run([*command, "--answers", str(options.answers)], check=True)
        print(f"{time.perf_counter() - began:.0f} s in all")


if __name__ == "__main__":
    main()
