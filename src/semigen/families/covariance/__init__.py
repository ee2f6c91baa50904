"""Shapes of covariance matrices; a new shape is one class and one entry here."""

from __future__ import annotations

from typing import Any

from semigen.exceptions import ParameterError
from semigen.families.covariance.base import Covariance
from semigen.families.covariance.diagonal import Diag, Spherical
from semigen.families.covariance.full import Full, Tied
from semigen.families.covariance.low_rank import LowRank

COVARIANCES: dict[str, type[Covariance]] = {c.name: c for c in (Full, Tied, Diag, Spherical, LowRank)}

__all__ = ["COVARIANCES", "Covariance", "Diag", "Full", "LowRank", "Spherical", "Tied", "as_covariance"]


def as_covariance(covariance: Any) -> Covariance:
    """The covariance shape of that name, or the object itself.

    Raises
    ------
    ParameterError
        If there is no such shape.
    """
    if isinstance(covariance, Covariance):
        return covariance
    if isinstance(covariance, str) and covariance in COVARIANCES:
        return COVARIANCES[covariance]()
    raise ParameterError(
        f"covariance={covariance!r} is not known: use one of {', '.join(map(repr, COVARIANCES))}, "
        "or a Covariance object such as semigen.families.LowRank(rank=8)."
    )
