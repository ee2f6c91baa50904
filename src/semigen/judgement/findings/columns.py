"""Columns that give the label away, and columns that tell which rows have one."""

from __future__ import annotations

from typing import Any

from semigen.common.plain import plain
from semigen.judgement.findings.records import Finding
from semigen.judgement.giveaway import parting_columns, sentence, telling_columns
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


def parted(study: Study) -> list[Any]:
    """Names of the columns in which labeled and unlabeled rows hardly overlap."""
    return [plain(one) for one in parting_columns(study.table, study.labels.hard)]
