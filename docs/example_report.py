"""The finished report that the documentation links to, of a real table that comes with scikit-learn."""

from pathlib import Path

import pandas as pd

import semigen
from semigen.datasets import bundled_table


def write(path: Path) -> None:
    """Fit a model and write its report."""
    table = bundled_table("wine", labels_per_class=10, random_state=0)
    frame = pd.DataFrame(table.X, columns=list(table.feature_names))
    auto = semigen.AutoClassifier(unlabeled=None).fit(frame, table.y)
    names = {"table": "wine", "target": table.target_name}
    semigen.report(auto, frame, table.y, path, unlabeled=None, overwrite=True, **names)
