"""Does the density describe the rows, and which columns are described worst?"""

from __future__ import annotations

from dataclasses import asdict

from scipy.sparse import issparse

from semigen.judgement.diagnostics import COMPONENTS, SHAPE, TAILS
from semigen.judgement.findings.records import Finding, percent
from semigen.judgement.study import Study

MOST_SHOWN = 5
CLEAR = 4.0
"""Standard errors."""
LEAST_GAIN = 0.05
"""Nats per row."""
FAR_APART, LEVEL = 0.15, 0.001

CURES = {
    COMPONENTS: "components_per_class=3",
    SHAPE: "covariance='full'",
    TAILS: "family='student_t'",
}


def density_fit(study: Study) -> Finding | None:
    """Held-out log p(x) of the mixture beside freer ones, and the columns that it describes worst."""
    if issparse(study.table.matrix):
        return None
    columns = study.worst_columns[:MOST_SHOWN]
    gains = {name: gain for name, gain in study.freer.items() if gain.z > CLEAR and gain.mean > LEAST_GAIN}
    bad = [one for one in columns if one.distance >= FAR_APART and one.p_value < LEVEL]
    evidence = {
        "gains": {
            name: {"mean": gain.mean, "z": gain.z, "n_rows": gain.n_rows}
            for name, gain in study.freer.items()
        },
        "columns": [asdict(one) for one in columns],
    }
    if not (bad or gains):
        return Finding(
            "fit of the densities",
            "good",
            evidence,
            "The mixture describes unseen rows as well as freer ones do, and every column.",
        )
    said = []
    if gains:
        best = max(gains, key=lambda name: gains[name].mean)
        said.append(
            f"a mixture with {best} ({CURES[best]}) describes unseen rows better, by "
            f"{gains[best].mean:.2f} nats per row"
        )
    if bad:
        farthest = {one.column: one.distance for one in reversed(bad)}  # a date is several columns
        worst = sorted(farthest, key=lambda name: -farthest[name])[:3]
        which = ", ".join(f"{name} ({percent(farthest[name])})" for name in worst)
        these = "a column that is" if len(worst) == 1 else "columns that are"
        said.append(f"{these} not as it expects, in this share of the rows or more: {which}")
    return Finding(
        "fit of the densities",
        "warning" if gains and bad else "caution",
        evidence,
        f"The mixture does not describe the rows well: {'; '.join(said)}.",
    )
