"""Writes the inside of a model file: the tree that :class:`semigen.io.payload.Reader` reads.

Every kind of node that is written here is read there; whatever is of no such kind is named and refused. A
list of short texts, such as the names of ten thousand columns, is one array.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import narwhals as nw
import numpy as np
import scipy.special

from semigen.io.payload import ARRAY_KINDS, PLAIN_TYPES, PROTOCOL, SCHEMA, Node
from semigen.io.values import as_text, type_name

LEAST_TEXTS, WIDTHS = 8, (16, 64)
"""Texts that become an array: at least so many, of so many characters. Shorter ones are padded, so that the
file states about what they take in memory."""


class Writer:
    """Writes one object.

    Parameters
    ----------
    is_allowed : callable
        Whether objects of a class may be written, by module and name.

    Attributes
    ----------
    refused : list of str
        What the object holds that cannot be written.
    """

    def __init__(self, is_allowed: Callable[[str], bool]) -> None:
        self._is_allowed = is_allowed
        self._buffer = io.BytesIO()
        self._archive = zipfile.ZipFile(self._buffer, "w")
        self._files: dict[int, tuple[str, Any]] = {}  # with the object itself, so that no other gets its id
        self.refused: list[str] = []

    def write(self, root: Any) -> bytes:
        """The archive that holds an object, if nothing was refused."""
        tree = {**self._node(root), "protocol": PROTOCOL}
        with self._archive as archive:
            archive.writestr(SCHEMA, json.dumps(tree))
        return self._buffer.getvalue()

    def _node(self, value: Any) -> Node:
        kind = type(value)
        if value is None or kind in PLAIN_TYPES.values():
            return _named("JsonNode", str, content=json.dumps(value))
        write = _KINDS.get(kind)
        if write is not None:
            return write(self, value)
        if isinstance(value, np.ndarray | np.generic):
            return self._array(np.asarray(value) if isinstance(value, np.memmap) else value)
        if isinstance(value, np.dtype):
            return self._dtype(value)
        if isinstance(value, type):
            return self._type(value)
        if nw.dependencies.is_pandas_series(value):  # a parameter by class, or in the order of the classes
            by_class = value.index.tolist() != list(range(len(value)))
            return self._dict(value.to_dict()) if by_class else self._array(value.to_numpy())
        if isinstance(value, str | int | float):  # such as an enumeration of text
            return _named("JsonNode", str, content=json.dumps(value))
        name = type_name(value)
        if name is not None:
            text, zone = as_text(name, value)
            return {**_node("ValueNode", name), "content": text, "zone": zone}
        return self._object(value)

    def _nodes(self, values: Iterable[Any]) -> list[Node]:
        return [self._node(value) for value in values]

    def _sequence(self, value: Any) -> Node:
        found = self._texts(value, value)
        if found is not None:
            return found
        loader = f"{type(value).__name__.capitalize()}Node"
        return _named(loader, type(value), content=self._nodes(value))

    def _texts(self, value: Any, texts: Any) -> Node | None:
        """One array of many short texts, None if ``value`` is nothing like that."""
        least, most = WIDTHS
        if len(texts) < LEAST_TEXTS or any(type(text) is not str for text in texts):
            return None
        width = max(map(len, texts))
        if width > most or any(text.endswith("\0") for text in texts):
            return None
        file = self._file(value, "npy", lambda: _npy(np.array(list(texts), dtype=f"<U{max(width, least)}")))
        return _named("TextsNode", type(value), file=file)

    def _dict(self, value: Mapping[Any, Any]) -> Node:
        return _named("DictNode", type(value), keys=self._nodes(value), content=self._nodes(value.values()))

    def _state(self, state: Any) -> Node:
        """The attributes of an object, by name."""
        if type(state) is not dict or "__loader__" in state:
            return self._node(state)
        return _named("DictNode", dict, content={name: self._node(value) for name, value in state.items()})

    def _bytes(self, value: bytes) -> Node:
        return _named("BytesNode", bytes, file=self._file(value, "bin", lambda: value))

    def _array(self, value: Any) -> Node:
        kind = np.ndarray if type(value) is np.ndarray else type(value)
        if value.dtype.kind == "O" and kind is np.ndarray and value.ndim:
            cells = value.tolist()
            found = self._texts(value, cells) if value.ndim == 1 else None
            if found is not None:
                return found
            shape = self._node(value.shape)
            return _named("NdArrayNode", kind, type="json", content=self._nodes(cells), shape=shape)
        if value.dtype.kind not in ARRAY_KINDS or not (kind is np.ndarray or isinstance(value, np.generic)):
            return self._refuse(f"{_name(kind)} of {value.dtype}")
        return _named("NdArrayNode", kind, type="numpy", file=self._file(value, "npy", lambda: _npy(value)))

    def _file(self, value: Any, ending: str, content: Callable[[], bytes | memoryview]) -> str:
        """The file of a value; one that is used again has one file."""
        if id(value) not in self._files:
            self._files[id(value)] = f"{len(self._files)}.{ending}", value
            self._archive.writestr(self._files[id(value)][0], content())
        return self._files[id(value)][0]

    def _dtype(self, value: np.dtype[Any]) -> Node:
        return _named("DTypeNode", np.dtype, content=self._array(np.empty(0, dtype=value)))

    def _random_state(self, value: np.random.RandomState) -> Node:
        return _named("RandomStateNode", type(value), content=self._node(value.get_state(legacy=False)))

    def _function(self, value: np.ufunc) -> Node:
        for module in (np, scipy.special):
            if getattr(module, value.__name__, None) is value:
                return _node("FunctionNode", f"{module.__name__}.{value.__name__}")
        return self._refuse(value.__name__)

    def _type(self, value: type) -> Node:
        name = _name(value)
        if not (name in PLAIN_TYPES or issubclass(value, np.generic) or self._is_allowed(name)):
            return self._refuse(name)
        return _named("TypeNode", value)

    def _object(self, value: Any) -> Node:
        kind = type(value)
        if not self._is_allowed(_name(kind)):
            name = getattr(value, "__qualname__", None)  # of a function
            return self._refuse(_name(kind) if name is None else f"{value.__module__}.{name}")
        if any("__reduce__" in vars(base) for base in kind.__mro__[:-1]):  # compiled
            function, arguments, *state = value.__reduce__()
            if function is not kind or any(one is not None for one in state):
                return self._refuse(_name(kind))
            return _named("ConstructorFromReduceNode", kind, content=self._node(arguments))
        return _named("ObjectNode", kind, content=self._state(value.__getstate__()))

    def _refuse(self, name: str) -> Node:
        self.refused.append(name)
        return {}


def _npy(array: Any) -> memoryview:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getbuffer()


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _node(loader: str, name: str) -> Node:
    module, _, own = name.rpartition(".")
    return {"__class__": own, "__module__": module, "__loader__": loader}


def _named(loader: str, kind: type, **rest: Any) -> Node:
    return {**_node(loader, _name(kind)), **rest}


_KINDS: Mapping[type, Callable[[Writer, Any], Node]] = {
    bytes: Writer._bytes,
    dict: Writer._dict,
    list: Writer._sequence,
    np.random.RandomState: Writer._random_state,
    np.ufunc: Writer._function,
    OrderedDict: Writer._dict,
    set: Writer._sequence,
    tuple: Writer._sequence,
}
