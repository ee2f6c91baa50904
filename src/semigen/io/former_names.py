"""Names in model files of older versions, and what they are now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MODULES: Mapping[str, str] = {
    "semigen.auto": "semigen.ensemble.auto",
    "semigen.deep.flow": "semigen.deep.flow.model",
    "semigen.deep.flow_mixture": "semigen.deep.flow.classifier",
    "semigen.deep.gan_classifier": "semigen.deep.gan.classifier",
    "semigen.deep.gan_networks": "semigen.deep.gan.model",
    "semigen.deep.tables": "semigen.deep.data.tables",
    "semigen.deep.vae_classifier": "semigen.deep.vae.classifier",
    "semigen.deep.vae_features": "semigen.deep.vae.features",
    "semigen.hybrid.classifier": "semigen.representation.hybrid",
    "semigen.hybrid.classifiers": "semigen.estimators.classifiers",
    "semigen.hybrid.ensemble": "semigen.representation.mixtures",
    "semigen.hybrid.forms": "semigen.ensemble.forms",
    "semigen.hybrid.graph": "semigen.representation.graph",
    "semigen.hybrid.plain": "semigen.representation.plain",
    "semigen.hybrid.views": "semigen.representation.axes",
    "semigen.labels": "semigen.data.labels",
    "semigen.intervals": "semigen.evaluation.intervals",
    "semigen.pool": "semigen.ensemble.pool",
    "semigen.safe": "semigen.ensemble.safe",
}
"""Modules of format 1 that have moved."""

CLASSES: Mapping[str, str] = {
    "semigen.deep.fitted.VAEShape": "semigen.deep.vae.architecture.VAEArchitecture",
    "semigen.deep.flow.FlowShape": "semigen.deep.flow.model.FlowArchitecture",
    "semigen.deep.gan_networks.GANShape": "semigen.deep.gan.model.GANArchitecture",
    "semigen.hybrid.ensemble.Member": "semigen.representation.mixtures.FeatureMixture",
    "semigen.hybrid.forms.Form": "semigen.io.former_names.OldForm",
    "semigen.hybrid.graph.Near": "semigen.representation.graph.Neighbors",
    "semigen.hybrid.graph.NeighbourGraph": "semigen.representation.graph.NeighborGraph",
    "semigen.model_selection.CrossValidation": "semigen.comparison.record.Comparison",
    "semigen.model_selection.Score": "semigen.comparison.record.Score",
    "semigen.pool.Hidden": "semigen.ensemble.held_out.HeldOut",
    "semigen.pool.PoolMember": "semigen.ensemble.pool.PoolModel",
}
"""Classes of format 1 that have another name or left their module."""

ATTRIBUTES: Mapping[str, Mapping[str, str]] = {
    "AutoClassifier": {"members_": "models_", "unlike_": "dependence_shift_"},
    "MixtureEnsembleFeatures": {"members_": "mixtures_"},
    "NeighborGraph": {"near_": "neighbors_"},
    "Networks": {"shape": "architecture"},
    "PoolClassifier": {"hidden_": "held_out_", "members_": "models_"},
    "Table": {"centre": "center", "input_centre": "input_center"},
}
"""Attributes of format 1 that have other names, by the name that their class has now."""

MODELS: Mapping[str, str] = {
    "mixtures": "mixture features",
    "smooth functions": "graph features",
    "neighbours": "label spreading",
    "class densities": "mixture per class",
    "logistic regression on principal axes": "logistic regression on principal components",
    "all members": "all models",
    "supervised members": "supervised models",
}
"""Models of AutoClassifier that had other names in format 1."""

FORMS: Mapping[str, str] = {
    "given": "table",
    "view": "principal_axes",
    "near": "neighbors",
    "smooth": "graph_features",
}
"""Forms of rows that had other names in format 1."""


@dataclass
class OldForm:
    """A transformer of format 1 that took one form of the rows; ``migrations`` puts that name there."""

    name: str


def name_now(name: str) -> str:
    """The name that a type of format 1 has now, module and class."""
    module, _, kind = name.rpartition(".")
    if not module.startswith("semigen"):
        return name
    return CLASSES.get(name, f"{MODULES.get(module, module)}.{kind}")


def attributes_now(name: str, state: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of format 1 of an object of a type (its name now) under the names that they have now."""
    renamed = ATTRIBUTES.get(name.rpartition(".")[2], {})
    return {renamed.get(key, key): value for key, value in state.items()}
