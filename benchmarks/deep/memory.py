"""Memory that deep fits need beside their rows: ``python -m benchmarks.deep.memory``.

Each model is fitted for a few steps to 200,000 rows of 50 columns (float32, 40 MB, a memory map) in a process
of its own, after a fit to few rows that loads the libraries; then all rows are predicted. The figures are
peaks above the level before, and have the 40 MB of the map in them; "Parquet" is M2 of the rows in a file.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.memory import level, peak

N_ROWS, N_COLUMNS, N_STEPS = 200_000, 50, 20
PARQUET = "Parquet"


def models() -> dict[str, Any]:
    """Deep models by name."""
    from semigen.deep import FlowMixtureClassifier, GANClassifier, VAEClassifier, VAEFeatures

    few: dict[str, Any] = {"n_steps": N_STEPS, "random_state": 0, "n_jobs": 1}
    return {
        "M2": VAEClassifier(**few),
        "M2, patience": VAEClassifier(patience=5, **few),
        "M1+M2": VAEClassifier(features=VAEFeatures(**few), **few),
        "GAN": GANClassifier(**few),
        "flow": FlowMixtureClassifier(**few),
    }


def measure(name: str, path: str) -> None:
    """Print the figures of one model, MB."""
    x = np.load(path, mmap_mode="r")
    y = np.where(np.arange(len(x)) % 1000 == 0, np.arange(len(x)) // 1000 % 2, -1)
    if name == PARQUET:
        import semigen

        model, file = models()["M2"], f"{path}.parquet"
        given = [semigen.data.from_files(file, target="label")]
    else:
        model, given = models()[name], [x, y]
    model.fit(x[:3000], y[:3000]).predict(x[:100])
    before = level()
    model.fit(*given)
    fitted = peak()
    model.predict(x)
    print(f"{name}: {fitted - before:.0f} MB in fit, {peak() - before:.0f} MB with predict")


def main() -> None:
    """Measure every model."""
    if len(sys.argv) > 1:
        measure(*sys.argv[1:])
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.npy"
        rng = np.random.default_rng(0)
        x = rng.standard_normal((N_ROWS, N_COLUMNS), dtype=np.float32)
        np.save(path, x)
        label = np.where(np.arange(N_ROWS) % 1000 == 0, np.arange(N_ROWS) // 1000 % 2, -1)
        pd.DataFrame(x, columns=list(map(str, range(N_COLUMNS)))).assign(label=label).to_parquet(
            f"{path}.parquet"
        )
        for name in [*models(), PARQUET]:
            subprocess.run([sys.executable, "-m", "benchmarks.deep.memory", name, str(path)], check=True)


if __name__ == "__main__":
    main()
