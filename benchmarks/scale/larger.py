"""``python -m benchmarks.scale.larger WHAT``: tables larger than memory, and rows in batches.

``iteration``: one iteration of EM from Parquet against the same rows in memory, per row, in pairs.
``cluster``: the same by two threads and by two processes of a Dask cluster.
``command``: ``semigen fit`` and ``semigen predict`` of a folder of Parquet, with the peak memory of each.
``stream``: ``partial_fit`` over batches against the fit to all rows.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

import semigen
from benchmarks import environment, memory
from semigen.columns.survey import learn_source
from semigen.data import from_parquet
from semigen.data.blocks import Data
from semigen.em import Stats, ThreadEngine, e_step
from semigen.exceptions import ConvergenceWarning

FILE = Path(__file__).resolve().parent / "larger.json"
CLASSES = 10
FILE_ROWS = 500_000
LABELED = 0.001
IN_MEMORY_ROWS = 500_000


def draw(rng: np.random.Generator, means: Any, n_rows: int) -> tuple[Any, Any]:
    """Rows of Gaussian classes, float32, and their classes."""
    truth = rng.integers(0, len(means), n_rows)
    x = means[truth] + rng.standard_normal((n_rows, means.shape[1]), dtype=np.float32)
    return x.astype(np.float32), truth


def generate(folder: Path, n_rows: int, n_columns: int) -> None:
    """Files of half a million rows, one in a thousand labeled."""
    rng = np.random.default_rng(0)
    means = (1.2 * rng.standard_normal((CLASSES, n_columns))).astype(np.float32)
    for number, begin in enumerate(range(0, n_rows, FILE_ROWS)):
        x, truth = draw(rng, means, min(FILE_ROWS, n_rows - begin))
        hidden = rng.random(len(x)) >= LABELED
        columns = {f"c{j}": x[:, j] for j in range(n_columns)}
        table = pa.table({**columns, "y": pa.array(truth.astype(np.int8), mask=hidden)})
        # random numbers do not compress, and a dictionary of them is of no use
        parquet.write_table(table, folder / f"{number:03d}.parquet", compression="none", use_dictionary=False)


def e_step_of(sample: Data) -> Any:
    """An E-step of 10 full components in float32, fitted to some rows."""
    model = semigen.MixtureClassifier(
        covariance="full", unlabeled=None, unlabeled_weight=1.0, calibrate=1.0, max_iter=2, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(sample.x[:50_000], sample.labels.take(np.arange(50_000)))
    return partial(e_step, model.mixture_, model.params_, dtype=np.float32)


def iteration(folder: Path, rounds: int) -> dict[str, Any]:
    """Microseconds per row of an E-step, and peak memory."""
    read = learn_source(from_parquet(folder, "y"), None, None)
    rows = read.rows
    sample = rows.sample
    step = e_step_of(sample)
    fitted = memory.peak()
    found: dict[str, list[float]] = {"file": [], "read": [], "memory": []}
    x = np.concatenate([sample.x] * (IN_MEMORY_ROWS // len(sample.x) + 1))[:IN_MEMORY_ROWS]
    pattern = np.zeros(len(x), dtype=np.intp)
    here = Data(x, replace(rows.labels, pattern=pattern), np.ones(len(x)))
    with ThreadEngine().open() as engine:
        engine.map_blocks(step, here)
        for _ in range(rounds):
            found["memory"].append(_seconds(lambda: engine.map_blocks(step, here)) / len(x) * 1e6)
            found["file"].append(_seconds(lambda: engine.map_blocks(step, rows)) / rows.n_rows * 1e6)
            found["read"].append(_seconds(lambda: _drain(rows)) / rows.n_rows * 1e6)
    ratios = [file / there for file, there in zip(found["file"], found["memory"], strict=True)]
    return {
        "rows": rows.n_rows,
        "columns": rows.n_columns,
        "us_per_row": found,
        "ratio": float(np.median(ratios)),
        "peak_MB": memory.peak(),
        "peak_MB_before_passes": fitted,
    }


def cluster(folder: Path, rounds: int) -> dict[str, Any]:
    """Seconds of an E-step over the files, and of the survey, by two threads and by two workers of Dask."""
    from distributed import Client, LocalCluster

    from semigen.engines import DaskEngine

    source = from_parquet(folder, "y")
    rows = learn_source(source, None, None).rows
    step = e_step_of(rows.sample)
    found: dict[str, list[float]] = {
        name: [] for name in ("threads", "dask", "threads_survey", "dask_survey")
    }
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as two,
        Client(two) as client,
        ThreadEngine(2).open() as threads,
        DaskEngine(client).open() as workers,
    ):
        placed = DaskEngine(client).placed(source)
        workers.reduce_blocks(step, Stats.merge, rows)
        for _ in range(rounds):
            for name, engine, table in (("threads", threads, source), ("dask", workers, placed)):
                found[name].append(_seconds(partial(engine.reduce_blocks, step, Stats.merge, rows)))
                found[f"{name}_survey"].append(_seconds(partial(learn_source, table, None, None)))
        sums = [one.reduce_blocks(step, Stats.merge, rows)[0].log_lik for one in (threads, workers)]
    ratios = [dask / there for dask, there in zip(found["dask"], found["threads"], strict=True)]
    difference = abs(sums[0] - sums[1]) / abs(sums[0])
    return {
        "rows": rows.n_rows,
        "seconds": found,
        "ratio": float(np.median(ratios)),
        "difference": difference,
    }


def _drain(rows: Any) -> None:
    for _ in rows.blocks(32_768):
        pass


def _seconds(call: Any) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def command(folder: Path) -> dict[str, Any]:
    """Seconds and peak memory of a fit and of predictions on the command line, in processes of their own."""
    out = folder.parent / "out"
    fit = ["fit", str(folder), "--target", "y", "--model", "mixture", "--covariance", "full"]
    saved, predicted = folder.parent / "out" / "model.semigen", folder.parent / "p.parquet"
    runs = {
        "fit": [*fit, "--out", str(out), "--no-report"],
        "predict": ["predict", str(saved), str(folder), "--out", str(predicted)],
    }
    found = {}
    for name, arguments in runs.items():
        code = (
            "import sys\nfrom semigen.cli import main\nfrom benchmarks import memory\n"
            "try:\n    main()\nfinally:\n    print('PEAK', memory.peak(), file=sys.stderr)\n"
        )
        begin = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
        )
        seconds = time.perf_counter() - begin
        if done.returncode:
            raise RuntimeError(done.stderr[-3000:])
        peak = float(done.stderr.rsplit("PEAK", 1)[1])
        found[name] = {"seconds": seconds, "peak_MB": peak}
        print(name, found[name], flush=True)
    return found


def stream(n_batches: int, batch_rows: int, n_columns: int) -> dict[str, Any]:
    """Nats per row and error of online EM, less those of the fit to all rows."""
    rng = np.random.default_rng(1)
    means = (0.7 * rng.standard_normal((5, n_columns))).astype(np.float32)
    parts = [draw(rng, means, batch_rows) for _ in range(n_batches)]
    labels = [np.where(rng.random(batch_rows) < 0.005, truth, -1) for _, truth in parts]
    settings: dict[str, Any] = {"covariance": "full", "unlabeled_weight": 1.0, "random_state": 0}
    online = semigen.MixtureClassifier(**settings)
    begin = time.perf_counter()
    for (x, _), y in zip(parts, labels, strict=True):
        online.partial_fit(x, y)
    online_seconds = time.perf_counter() - begin
    x, truth, y = (np.concatenate(one) for one in ([a for a, _ in parts], [b for _, b in parts], labels))
    begin = time.perf_counter()
    whole = semigen.MixtureClassifier(**settings).fit(x, y)
    whole_seconds = time.perf_counter() - begin

    def figures(model: Any) -> tuple[float, float]:
        data = model._scored(x, y, None)
        parts = ThreadEngine().map_blocks(partial(e_step, model.mixture_, model.params_), data)
        log_lik = sum(one.log_lik for one in parts) / len(x)
        return float(log_lik), float((model.predict(x) != truth).mean())

    (ours, our_error), (theirs, their_error) = figures(online), figures(whole)
    return {
        "batches": n_batches,
        "batch_rows": batch_rows,
        "columns": n_columns,
        "nats_per_row_below_batch": theirs - ours,
        "error_points_above_batch": 100 * (our_error - their_error),
        "error_of_batch": their_error,
        "seconds": online_seconds,
        "seconds_of_batch": whole_seconds,
    }


def main() -> None:
    """Measure one of them and add it to the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale.larger", description=__doc__)
    parser.add_argument("what", choices=["iteration", "cluster", "command", "stream"])
    parser.add_argument("--rows", type=int, help="default: 20 million, of a stream one million")
    parser.add_argument("--columns", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="semigen-larger-") as home:
        folder = Path(home) / "table"
        folder.mkdir()
        if options.what != "stream":
            begin = time.perf_counter()
            generate(folder, options.rows or 20_000_000, options.columns)
            print(f"generated in {time.perf_counter() - begin:.0f} s", flush=True)
        if options.what == "iteration":
            found = iteration(folder, options.rounds)
        elif options.what == "cluster":
            found = cluster(folder, options.rounds)
        elif options.what == "command":
            found = {"columns": options.columns, **command(folder)}
        else:
            found = stream(20, (options.rows or 1_000_000) // 20, 20)
    print(json.dumps(found, indent=1))
    every = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    every[f"{options.what}"] = {"environment": environment.describe(), **found}
    FILE.write_text(json.dumps(every, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
