"""Spark MLlib's GaussianMixture in local mode: a peer that takes no start and stamps no iteration."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from benchmarks.speed.contenders import Run
from benchmarks.speed.problems import Problem

MEMORY = "6g"


@contextmanager
def session(problem: Problem, n_threads: int) -> Iterator[Callable[[int], Run]]:
    """A function that runs so many iterations on the rows of a problem, which Spark caches."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    from pyspark.ml.functions import array_to_vector
    from pyspark.sql import SparkSession

    spark = (
        SparkSession.builder.master(f"local[{n_threads}]")
        .config("spark.driver.memory", MEMORY)
        .config("spark.ui.enabled", "false")
        .getOrCreate()
    )
    with tempfile.TemporaryDirectory() as folder:
        for number, x in enumerate(np.array_split(problem.x, n_threads)):
            cells = pa.FixedSizeListArray.from_arrays(x.ravel(), x.shape[1])
            table = pa.table({"x": cells.cast(pa.list_(pa.float64()))})
            parquet.write_table(table, Path(folder) / f"{number}.parquet", compression="none")
        rows = spark.read.parquet(folder).repartition(n_threads)
        rows = rows.select(array_to_vector("x").alias("features")).cache()
        rows.count()
        run = partial(_run, rows, problem.n_components)
        run(2)  # warms Java up
        try:
            yield run
        finally:
            spark.stop()


def _run(rows: Any, n_components: int, n_iter: int) -> Run:
    """What n iterations take beyond one, from MLlib's own start, which is the same for a seed."""
    from pyspark.ml.clustering import GaussianMixture

    seconds = []
    for most in (1, n_iter):
        begin = time.perf_counter()
        model = GaussianMixture(k=n_components, maxIter=most, tol=0.0, seed=0).fit(rows)
        seconds.append(time.perf_counter() - begin)
    one = (seconds[1] - seconds[0]) / (n_iter - 1)
    parts = model.gaussiansDF.collect()
    means = np.array([part["mean"].toArray() for part in parts])
    covariances = np.array([part["cov"].toArray() for part in parts])
    return Run([one] * (n_iter - 1), np.array(model.weights), means, covariances)
