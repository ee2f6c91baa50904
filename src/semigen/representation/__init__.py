"""Hybrids: a representation learned from all rows, a classifier trained on the labeled ones."""

from semigen.representation.axes import PrincipalAxes
from semigen.representation.encoder import EncoderFeatures
from semigen.representation.graph import GraphSpreading, NeighborGraph
from semigen.representation.hybrid import HybridClassifier
from semigen.representation.mixtures import MixtureEnsembleFeatures
from semigen.representation.plain import PlainColumns

__all__ = [
    "EncoderFeatures",
    "GraphSpreading",
    "HybridClassifier",
    "MixtureEnsembleFeatures",
    "NeighborGraph",
    "PlainColumns",
    "PrincipalAxes",
]
