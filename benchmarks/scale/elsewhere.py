"""``python -m benchmarks.scale.elsewhere [ray] [spark]``: predictions as docs/guide/cluster.md makes them.

Runs the code of the page in a folder with a model and a table, and compares its output with predictions here.
Needs ``ray``, or ``pyspark`` with Java; workers need this Python: ``PYSPARK_PYTHON=python``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

import semigen

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "cluster.md"
MARK = {"ray": "import ray", "spark": "from pyspark"}
PACKAGE = {"ray": "ray", "spark": "pyspark"}
BEFORE = {"ray": "import ray\nray.init(num_cpus=4, include_dashboard=False)\n", "spark": ""}
N_ROWS = 3000


def make(folder: Path) -> pd.DataFrame:
    """A model, a table in three files, and the rows with their predicted classes."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, N_ROWS)
    color = np.where(rng.random(N_ROWS) < 0.7, np.array(["red", "blue"])[truth], "green")
    rows = pd.DataFrame({"a": truth + rng.normal(size=N_ROWS), "b": rng.normal(size=N_ROWS), "color": color})
    y = np.where(rng.random(N_ROWS) < 0.05, np.array(["no", "yes"])[truth], None)
    model = semigen.MixtureClassifier(unlabeled=None).fit(rows, y)
    semigen.save(model, folder / "model.semigen")
    (folder / "rows").mkdir()
    for number, begin in enumerate(range(0, N_ROWS, 1000)):
        rows[begin : begin + 1000].to_parquet(folder / "rows" / f"{number}.parquet", index=False)
    return rows.assign(label=model.predict(rows))


def code(name: str) -> str:
    """The block of the page that imports a library."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (found,) = (one for one in blocks if MARK[name] in one)
    return BEFORE[name] + found


def main() -> None:
    """Run and compare."""
    for name in sys.argv[1:] or list(MARK):
        with tempfile.TemporaryDirectory() as text:
            folder = Path(text)
            wanted = make(folder).sort_values(["a", "b"], ignore_index=True)
            (folder / "run.py").write_text(code(name), encoding="utf-8")
            environment = {"PYSPARK_PYTHON": sys.executable, **os.environ}
            subprocess.run([sys.executable, "run.py"], cwd=folder, env=environment, check=True)
            found = pd.read_parquet(folder / "labeled").sort_values(["a", "b"], ignore_index=True)
            same = found["label"].astype(str).tolist() == wanted["label"].astype(str).tolist()
            said = "the classes predicted here" if same else "OTHER classes than here"
            print(f"{name} {version(PACKAGE[name])}: {len(found)} rows, {said}")


if __name__ == "__main__":
    main()
