"""Model files of older versions: the names that their types and attributes have now.

A payload names the module and class of everything it holds. :func:`upgrade` rewrites these names, and those
of renamed attributes, before the payload is read, so every version loads the files of all versions before it.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

FORMAT = 2
"""Format of the files that are written now. 1: semigen 0.1, before modules moved."""

SCHEMA = "schema.json"

MODULES: Mapping[str, str] = {
    "semigen.auto": "semigen.ensemble.auto",
    "semigen.hybrid.classifier": "semigen.representation.hybrid",
    "semigen.hybrid.classifiers": "semigen.estimators.classifiers",
    "semigen.hybrid.ensemble": "semigen.representation.mixtures",
    "semigen.hybrid.forms": "semigen.ensemble.forms",
    "semigen.hybrid.graph": "semigen.representation.graph",
    "semigen.hybrid.plain": "semigen.representation.plain",
    "semigen.hybrid.views": "semigen.representation.axes",
    "semigen.labels": "semigen.data.labels",
    "semigen.intervals": "semigen.evaluation.intervals",
    "semigen.model_selection": "semigen.comparison.record",
    "semigen.pool": "semigen.ensemble.pool",
    "semigen.safe": "semigen.ensemble.safe",
}
"""Modules of format 1 that have moved."""

CLASSES: Mapping[str, str] = {
    "CrossValidation": "Comparison",
    "Hidden": "HeldOut",
    "NeighbourGraph": "NeighborGraph",
    "PoolMember": "PoolModel",
}
"""Classes of format 1 that have other names."""

ATTRIBUTES: Mapping[str, Mapping[str, str]] = {
    "AutoClassifier": {"members_": "models_", "unlike_": "dependence_shift_"},
    "PoolClassifier": {"hidden_": "held_out_", "members_": "models_"},
    "Table": {"centre": "center", "input_centre": "input_center"},
}
"""Attributes of format 1 that have other names, by the name that their class has now."""

NONE = {
    "__class__": "str",
    "__module__": "builtins",
    "__loader__": "JsonNode",
    "content": "null",
    "is_json": True,
}
"""None, as skops writes it."""

ADDED: Mapping[str, tuple[str, ...]] = {"MixtureClassifier": ("engine",)}
"""Attributes that format 1 did not have and that are None for its models, by the name of their class."""


def upgrade(payload: bytes, version: int) -> bytes:
    """The payload of a file of format ``version`` with today's names."""
    if version == FORMAT:
        return payload
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(payload)) as old, zipfile.ZipFile(result, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, _renamed(content) if name == SCHEMA else content)
    return result.getvalue()


def name_now(name: str) -> str:
    """The name that a type of format 1 has now, module and class."""
    module, _, kind = name.rpartition(".")
    if not module.startswith("semigen"):
        return name
    return f"{MODULES.get(module, module)}.{CLASSES.get(kind, kind)}"


def _renamed(schema: bytes) -> bytes:
    return json.dumps(_walk(json.loads(schema))).encode()


def _walk(node: Any) -> Any:
    if isinstance(node, list):
        return [_walk(one) for one in node]
    if not isinstance(node, dict):
        return node
    node = {key: _walk(value) for key, value in node.items()}
    if str(node.get("__module__", "")).startswith("semigen"):
        name = name_now(f"{node['__module__']}.{node['__class__']}")
        node["__module__"], _, node["__class__"] = name.rpartition(".")
        attributes, state = ATTRIBUTES.get(node["__class__"], {}), node.get("content")
        if isinstance(state, dict) and isinstance(state.get("content"), dict):
            content = {attributes.get(key, key): value for key, value in state["content"].items()}
            for name in ADDED.get(node["__class__"], ()):
                content[name] = NONE
                types = state["key_types"]["content"]
                types.append(types[0])  # names of attributes are all text
            state["content"] = content
    return node
