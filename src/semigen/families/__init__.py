"""Families of distributions p(x | component); a new family is one file and one entry in ``registry``."""

from __future__ import annotations

from semigen.families.bernoulli import Bernoulli
from semigen.families.categorical import Categorical
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
from semigen.families.multinomial import Multinomial
from semigen.families.negative_binomial import NegativeBinomial
from semigen.families.poisson import Poisson
from semigen.families.product import Product
from semigen.families.protocol import Family, Walk
from semigen.families.registry import FAMILIES, FAMILY_OF_KIND, as_family, as_modeled, choose, wanted_kinds
from semigen.families.student_t import StudentT
from semigen.families.von_mises_fisher import VonMisesFisher

__all__ = [
    "COVARIANCES",
    "FAMILIES",
    "FAMILY_OF_KIND",
    "Bernoulli",
    "Categorical",
    "Covariance",
    "Diag",
    "Family",
    "Full",
    "Gaussian",
    "LowRank",
    "Multinomial",
    "NegativeBinomial",
    "Poisson",
    "Product",
    "Spherical",
    "StudentT",
    "Tied",
    "VonMisesFisher",
    "Walk",
    "as_covariance",
    "as_family",
    "as_modeled",
    "choose",
    "wanted_kinds",
]
