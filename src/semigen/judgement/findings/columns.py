"""Columns that give the label away."""

from __future__ import annotations

from semigen.common.plain import plain
from semigen.judgement.findings.records import Finding
from semigen.judgement.giveaway import sentence, telling_columns
from semigen.judgement.study import Study


def telling(study: Study) -> Finding | None:
    """Columns of which each alone tells the class of every labeled row."""
    names = telling_columns(study.table, study.labels.hard, study.labels.classes)
    if not names:
        return None
    return Finding(
        "columns that tell the class",
        "caution",
        {"columns": [plain(one) for one in names]},
        sentence([repr(one) for one in names]),
    )
