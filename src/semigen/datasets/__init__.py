"""Tables whose hidden labels are known: scikit-learn's bundled ones, and simulated ones with known truth."""

from semigen.datasets.bundled import PartlyLabeled, bundled_table, hide_labels
from semigen.datasets.harm import HARM_DESIGNS, HarmTable, make_harm
from semigen.datasets.mixed import MixedTable, MixedTruth, make_mixed
from semigen.datasets.shapes import make_shapes
from semigen.datasets.simulated import make_gaussian_classes, make_misspecified

__all__ = [
    "HARM_DESIGNS",
    "HarmTable",
    "MixedTable",
    "MixedTruth",
    "PartlyLabeled",
    "bundled_table",
    "hide_labels",
    "make_gaussian_classes",
    "make_harm",
    "make_misspecified",
    "make_mixed",
    "make_shapes",
]
