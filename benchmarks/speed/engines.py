"""``python -m benchmarks.speed.engines``: an EM iteration on threads, on Dask and on PyTorch.

On a machine with a GPU:
``python -m benchmarks.speed.engines --rows 20000000 --rounds 1 --engines torch --device cuda``
(15 GB of memory; drawing the rows and the walks of two threads take most of about six minutes, which is
reckoned from fewer rows: no GPU was there to try).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import environment
from benchmarks.markdown import table
from benchmarks.speed import contenders
from benchmarks.speed.measure import Ratio, rounds
from benchmarks.speed.problems import Problem, make
from semigen.em import Engine, ThreadEngine

HERE = Path(__file__).resolve().parent
ITERATIONS = 3
OURS = "threads"
SPARK = "Spark MLlib"
"""A peer, from a start of its own (``--engines spark``, with pyspark and Java)."""


@contextmanager
def dask_engine(n_workers: int) -> Iterator[Engine]:
    """Workers on this machine, a process and a thread each."""
    from distributed import Client, LocalCluster

    from semigen.engines import DaskEngine

    with (
        LocalCluster(n_workers=n_workers, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        yield DaskEngine(client)


def calls(options: argparse.Namespace, problem: Problem, stack: ExitStack) -> dict[str, Callable[[], Any]]:
    """A run of each engine."""
    shape = {"covariance": options.covariance}
    threads = ThreadEngine(options.threads)
    found: dict[str, Callable[[], Any]] = {
        OURS: partial(contenders.semigen, problem, ITERATIONS, engine=threads, **shape),
        f"{OURS}, float32": partial(
            contenders.semigen, problem, ITERATIONS, engine=threads, dtype=np.float32, **shape
        ),
    }
    if "dask" in options.engines:
        engine = stack.enter_context(dask_engine(options.threads))
        name = f"Dask, {options.threads} processes"
        found[name] = partial(contenders.semigen, problem, ITERATIONS, engine=engine, **shape)
    if "spark" in options.engines:
        from benchmarks.speed.spark import session

        run = stack.enter_context(session(problem, options.threads))
        found[SPARK] = partial(run, ITERATIONS)
    if "torch" in options.engines:
        from semigen.engines import TorchEngine

        for dtype in (np.float64, np.float32):
            name = f"PyTorch, {options.device}, {np.dtype(dtype).name}"
            engine = TorchEngine(options.device)
            found[name] = partial(
                contenders.semigen, problem, ITERATIONS, engine=engine, dtype=dtype, **shape
            )
    return found


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.engines", description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--features", type=int, default=32)
    parser.add_argument("--components", type=int, default=10)
    parser.add_argument("--covariance", default="full")
    parser.add_argument("--kind", default="overlapping")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2, help="threads, and processes of Dask")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--engines", nargs="*", default=["dask", "torch"])
    parser.add_argument("--out", type=Path, default=HERE / "engines.md")
    options = parser.parse_args()
    problem = make(options.kind, options.rows, options.features, options.components)
    with ExitStack() as stack:
        seconds, last = rounds(calls(options, problem, stack), options.rounds, partial(print, flush=True))
    lines = []
    for name, times in seconds.items():
        ratio = Ratio.of(times, seconds[OURS])
        difference = "–" if name == SPARK else f"{last[name].difference(last[OURS]):.0e}"
        spread = f"{ratio.low:.2f}–{ratio.high:.2f}"
        lines.append([name, f"{np.median(times):.3f}", f"{ratio.median:.2f}", spread, difference])
    size = f"{options.rows:,} × {options.features} rows, {options.components} {options.covariance} components"
    page = [
        "# Engines",
        "",
        "Written by `python -m benchmarks.speed.engines`. Seconds of an iteration, median over rounds; time",
        "over that of threads in the same round, median and range; largest difference of any parameter",
        "from theirs.",
        "",
        *(f"- {name}: {value}" for name, value in environment.describe().items()),
        "",
        f"## {size}, {options.kind}",
        "",
        table(["engine", "seconds", "ratio", "range", "difference"], lines),
        "",
    ]
    if options.device != "cpu":
        import torch

        page.insert(4, f"- device: {torch.cuda.get_device_name(options.device)}")
    print("\n".join(page))
    options.out.write_text("\n".join(page), encoding="utf-8")


if __name__ == "__main__":
    main()
