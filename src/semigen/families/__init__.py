"""Families of distributions p(x | component); a new family is one file and one entry here."""

from __future__ import annotations

from typing import Any

from semigen.exceptions import ParameterError
from semigen.families.covariance import (
    COVARIANCES,
    Covariance,
    Diag,
    Full,
    LowRank,
    Spherical,
    Tied,
    as_covariance,
)
from semigen.families.gaussian import Gaussian
from semigen.families.protocol import Family, Walk

FAMILIES = {"gaussian": Gaussian}

__all__ = [
    "COVARIANCES",
    "FAMILIES",
    "Covariance",
    "Diag",
    "Family",
    "Full",
    "Gaussian",
    "LowRank",
    "Spherical",
    "Tied",
    "Walk",
    "as_covariance",
    "as_family",
]


def as_family(family: Any, covariance: Any = "full") -> Family:
    """The family of that name with that covariance shape, or the object itself.

    Raises
    ------
    ParameterError
        If there is no such family or shape.
    """
    if isinstance(family, Family):
        return family
    if isinstance(family, str) and family == "auto":
        family = "gaussian"
    if isinstance(family, str) and family in FAMILIES:
        return FAMILIES[family](as_covariance(covariance))
    raise ParameterError(
        f"family={family!r} is not available: use 'auto', {', '.join(map(repr, FAMILIES))}, or a Family."
    )
