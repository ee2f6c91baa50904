"""The inside of a model file: a tree of plain values, arrays and objects, in the manner of skops.

A payload is a zip archive of ``schema.json``, the tree, and one ``.npy`` file per array. Each object of the
tree names the kind of node that it is (``__loader__``) and the type that it stands for. Files of version 0.2
or older were written by skops; ``writer`` writes the same tree, with arrays of texts, keys of any type and
values as text (``values``) besides. skops itself would trust every estimator of scikit-learn and NumPy type
that a file names, keep each array three times, and take time that grows with the square of their number.
"""

from __future__ import annotations

import importlib
import io
import json
import math
import re
import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.lib import format as npy

from semigen.io.archives import PIECE, Archive, structure
from semigen.io.values import from_text

SCHEMA = "schema.json"
PROTOCOL = 2
"""Of the trees that are read and written: skops 0.10 to 0.16 write it, too."""

MOST_USES = 4
"""An array counts as often as objects use it; all have at most this many times the bytes of the payload."""

PLAIN_TYPES: Mapping[str, type] = {f"builtins.{kind.__name__}": kind for kind in (str, int, float, bool)}
_CONTAINERS: Mapping[str, type] = {
    **{f"builtins.{kind.__name__}": kind for kind in (list, tuple, set, dict)},
    "collections.OrderedDict": OrderedDict,
}
ARRAY_KINDS = "biufcSUmM"
"""Kinds of arrays that are read: no Python objects; records only where trees of scikit-learn are trusted."""
_TREE = "sklearn.tree._tree.Tree"

_NOT_OF_TREES = re.compile(rb"\[[^{\]]|,[^{:]")
"""In a tree without its texts and spaces, lists have objects in them and nothing else."""
_RANDOM_STATE = 2**12
"""Bytes of a random number generator."""

Node = dict[str, Any]


class RefusedTypesError(ValueError):
    """Types that a payload names and that are not to be built."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(", ".join(names))
        self.names = names


class Reader:
    """Builds what a payload holds, from the leaves of the tree to its root.

    Parameters
    ----------
    payload : BytesIO
    is_allowed : callable
        Whether a type may be built, by module and name.
    type_now : callable, optional
        The name that a type of an older file has now.
    state_now : callable, optional
        The attributes that an object of such a type (its name now) has now.
    """

    def __init__(
        self,
        payload: io.BytesIO,
        is_allowed: Callable[[str], bool],
        type_now: Callable[[str], str] = str,
        state_now: Callable[[str, dict[str, Any]], dict[str, Any]] = lambda _, state: state,
    ) -> None:
        self._archive = Archive(payload, packed=False)
        self._is_allowed = is_allowed
        self._type_now, self._state_now = type_now, state_now
        self._arrays: dict[str, Any] = {}
        self._texts_of: dict[str, list[str]] = {}
        self._left = MOST_USES * self._archive.stated + 2**20  # bytes of arrays
        self._free = self._archive.stated + 2**20  # bytes of everything else
        self._refused: set[str] = set()

    def read(self) -> Any:
        """The object at the root.

        Raises
        ------
        RefusedTypesError
            If the payload names types that are not allowed.
        Exception
            Of any kind, where the payload is not as skops writes it.
        """
        root: Any = None

        def build(node: Node) -> Any:
            nonlocal root
            root = node
            return self._build(node)

        found = json.loads(self._tree(), object_hook=build)
        if self._refused:
            raise RefusedTypesError(sorted(self._refused))
        if root is None or root.get("protocol") != PROTOCOL:
            raise ValueError(f"the tree is not of protocol {PROTOCOL} of skops")
        return found

    def _tree(self) -> str:
        """The text of the tree, which becomes nothing but nodes: these are counted as they are built."""
        text = self._archive.unpack(SCHEMA).getvalue()
        if _NOT_OF_TREES.search(structure(text)):
            raise ValueError("a list in the tree holds something else than nodes")
        return str(text, "ascii")

    def _build(self, node: Node) -> Any:
        """What an object of JSON stands for: that of a node, or a dict of what its values stand for."""
        loader = node.get("__loader__")
        if not isinstance(loader, str) or "__module__" not in node:
            self._take(_size(node))
            return node
        name = f"{node['__module__']}.{node['__class__']}"
        if loader not in _NODES:
            self._refused.add(name)
        if self._refused and loader not in _NAMING:
            return None
        found = _NODES[loader](self, name, node)
        if not isinstance(found, np.ndarray) or found.dtype.kind == "O":
            self._take(sys.getsizeof(found))
        return found

    def _take(self, n_bytes: int) -> None:
        self._free -= n_bytes
        if self._free < 0:
            raise ValueError("its tree takes too much memory for its size")

    def _allowed(self, name: str, kind: type | tuple[type, ...] = type) -> Any:
        """The type that a name stands for, or None if it is refused."""
        if not self._is_allowed(name):
            self._refused.add(name)
            return None
        module, _, own = name.rpartition(".")
        found = getattr(importlib.import_module(module), own)
        if not isinstance(found, kind):
            self._refused.add(name)
            return None
        return found

    def _object(self, name: str, node: Node) -> Any:
        name = self._type_now(name)
        kind = self._allowed(name)
        if self._refused:
            return None
        state = node.get("content")
        return _with_state(kind.__new__(kind), None if state is None else self._state_now(name, state))

    def _made(self, name: str, node: Node) -> Any:
        """An object that is made by a call of its type."""
        kind = self._allowed(name)
        if self._refused:
            return None
        if "__reduce__" not in node:
            return kind(*node["content"])
        return _with_state(kind(*node["__reduce__"]["args"]), node["content"] or None)

    def _function(self, name: str, node: Node) -> Any:
        return self._allowed(name, np.ufunc)

    def _type(self, name: str, node: Node) -> Any:
        return PLAIN_TYPES[name] if name in PLAIN_TYPES else _number_type(name) or self._allowed(name)

    def _json(self, name: str, node: Node) -> Any:
        content = node["content"]
        wide = 4 * len(content) if "\\u" in content else 0
        self._take(wide)
        found = json.loads(content)
        self._take(-wide)
        if isinstance(found, list | dict):
            raise ValueError("a plain value is a list")
        return found

    def _container(self, name: str, node: Node) -> Any:
        return _CONTAINERS[name](node["content"])

    def _dict(self, name: str, node: Node) -> Any:
        content = node["content"]
        if "keys" in node:
            return _CONTAINERS[name](zip(node["keys"], content, strict=True))
        self._take(-sys.getsizeof(content))  # it becomes another dict
        kinds = node.get("key_types")  # of older files
        if kinds is None:
            return _CONTAINERS[name](content)
        named = zip(kinds, content.items(), strict=True)
        return _CONTAINERS[name]((kind(key), value) for kind, (key, value) in named)

    def _texts(self, name: str, node: Node) -> Any:
        """A list of texts that is an array in the file."""
        file = node["file"]
        if file not in self._texts_of:
            array = self._numbers(file)
            if array.dtype.kind != "U" or array.ndim != 1:
                raise ValueError(f"texts are an array of {array.dtype}")
            self._texts_of[file] = array.tolist()
            self._take(sum(map(sys.getsizeof, self._texts_of[file])))
        texts = self._texts_of[file]
        if name != "numpy.ndarray":
            return _CONTAINERS[name](texts)
        found = np.empty(len(texts), dtype=object)
        found[:] = texts
        return found

    def _value(self, name: str, node: Node) -> Any:
        return from_text(name, node["content"], node["zone"])

    def _bytes(self, name: str, node: Node) -> Any:
        return self._archive.unpack(node["file"]).getvalue()

    def _dtype(self, name: str, node: Node) -> Any:
        return node["content"].dtype

    def _random_state(self, name: str, node: Node) -> Any:
        state = node["content"]
        if not 0 <= int(state["state"]["pos"]) <= 624:
            raise ValueError("the state of a random number generator is out of range")
        self._take(_RANDOM_STATE)
        found = np.random.RandomState()
        found.set_state(state)
        return found

    def _array(self, name: str, node: Node) -> Any:
        if node["type"] == "json":
            values, shape = node["content"], tuple(node["shape"])
            found = np.empty(len(values), dtype=object)
            if len(shape) == 1:
                found[:] = values  # which may be lists
            else:
                found = np.array(values, dtype=object)
            if found.shape != shape:
                raise ValueError(f"{found.shape} values for an array of shape {shape}")
            return found
        file = node["file"]
        if file not in self._arrays:
            self._arrays[file] = self._numbers(file)
        found = self._arrays[file]
        if found is None:  # refused
            return None
        self._left -= found.nbytes
        if self._left < 0:
            raise ValueError("its arrays are used more often than those of a model")
        if name == "numpy.ndarray":
            return found
        if _number_type(name) is None or found.shape != ():
            raise ValueError(f"an array of shape {found.shape} stands for a {name}")
        return found[()]

    def _numbers(self, file: str) -> Any:
        """An array whose size is that of its file."""
        with self._archive.open(file) as entry:
            version = npy.read_magic(entry)
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, is_fortran, dtype = read(entry)
            n_bytes = self._archive.sizes[file] - entry.tell()
            if dtype.names is not None and self._allowed(_TREE) is None:
                return None
            if (dtype.kind not in ARRAY_KINDS and dtype.names is None) or dtype.hasobject:
                raise ValueError(f"arrays of {dtype} are not read")
            if (
                not dtype.itemsize
                or math.prod(shape) * dtype.itemsize != n_bytes
                or any(not 0 <= n <= max(n_bytes, 2**24) for n in shape)
            ):
                raise ValueError(f"{n_bytes} bytes are no array of {dtype} of shape {shape}")
            found = np.empty(n_bytes, dtype=np.uint8)
            begin = 0
            while piece := entry.read(PIECE):
                found[begin : begin + len(piece)] = np.frombuffer(piece, dtype=np.uint8)
                begin += len(piece)
        return found.view(dtype).reshape(shape, order="F" if is_fortran else "C")


def _number_type(name: str) -> Any:
    """The type of NumPy's numbers, texts or dates that a name stands for, or None."""
    module, _, own = name.rpartition(".")
    found = getattr(np, own, None) if module == "numpy" else None
    return (
        found if isinstance(found, type) and issubclass(found, np.generic) and found is not np.void else None
    )


def _size(node: Node) -> int:
    """Bytes of a dict and of the texts in it."""
    texts = (one for pair in node.items() for one in pair if isinstance(one, str))
    return sys.getsizeof(node) + sum(map(sys.getsizeof, texts))


def _with_state(made: Any, state: Any) -> Any:
    if state is None:
        return made
    if hasattr(made, "__setstate__"):
        made.__setstate__(state)
    else:
        made.__dict__.update(state)
    return made


_NODES: Mapping[str, Callable[[Reader, str, Node], Any]] = {
    "BytesNode": Reader._bytes,
    "ConstructorFromReduceNode": Reader._made,
    "DTypeNode": Reader._dtype,
    "DictNode": Reader._dict,
    "FunctionNode": Reader._function,
    "JsonNode": Reader._json,
    "ListNode": Reader._container,
    "LossNode": Reader._made,
    "NdArrayNode": Reader._array,
    "ObjectNode": Reader._object,
    "RandomStateNode": Reader._random_state,
    "SetNode": Reader._container,
    "TextsNode": Reader._texts,
    "TreeNode": Reader._made,
    "TupleNode": Reader._container,
    "TypeNode": Reader._type,
    "ValueNode": Reader._value,
}

_NAMING = ("ConstructorFromReduceNode", "FunctionNode", "LossNode", "ObjectNode", "TreeNode", "TypeNode")
"""Nodes that name a type that may be refused: once one is, nothing more is built, but all of them are
named."""
