"""Hybrids: a representation learned from all rows, a classifier trained on the labelled ones."""

from semigen.hybrid.classifier import HybridClassifier
from semigen.hybrid.ensemble import MixtureEnsembleFeatures
from semigen.hybrid.forms import Form, Forms
from semigen.hybrid.graph import GraphSpreading, NeighbourGraph
from semigen.hybrid.plain import PlainColumns
from semigen.hybrid.views import PrincipalAxes

__all__ = [
    "Form",
    "Forms",
    "GraphSpreading",
    "HybridClassifier",
    "MixtureEnsembleFeatures",
    "NeighbourGraph",
    "PlainColumns",
    "PrincipalAxes",
]
