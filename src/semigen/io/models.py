"""Saved models: files that hold data and no code.

A model file is a zip archive with two entries. ``semigen.json`` says what the model is: format number,
versions, features, classes, notes and the checksum of the other entry. ``model.skops`` is the estimator:
types by name, contents as JSON and NumPy arrays, as skops has them; no pickle (``writer``). Reading it
(``payload``) builds plain values, arrays, and objects of the types that semigen itself saves: its own
estimators and records, and a few estimators of scikit-learn. What an archive states of its size is checked
before it is unpacked (``archives``), and the model that was built before it is returned (``checks``).
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import io
import json
import os
import sys
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import is_dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from sklearn.base import BaseEstimator

from semigen._version import __version__
from semigen.columns.tables import listing
from semigen.exceptions import MissingExtraError, ModelFileError
from semigen.families import Covariance, Family
from semigen.io.archives import Archive, most_unpacked, read_json
from semigen.io.checks import check_model
from semigen.io.files import first_line, refuse_existing, written_at_once
from semigen.io.former_names import attributes_now, name_now
from semigen.io.migrations import FORMAT, finish
from semigen.io.payload import Reader, RefusedTypesError
from semigen.io.writer import Writer

JSON: TypeAlias = "str | int | float | bool | Sequence[JSON] | Mapping[str, JSON] | None"

_HEADER, _PAYLOAD = "semigen.json", "model.skops"
_listing = partial(listing, most=5)
_DEPENDENCIES = ("numpy", "scipy", "scikit-learn", "narwhals")
_BASES = (BaseEstimator, Family, Covariance)
_OF_SKLEARN = frozenset(
    f"sklearn.{name}"
    for name in (
        "decomposition._truncated_svd.TruncatedSVD",
        "feature_extraction.text.CountVectorizer",
        "feature_extraction.text.TfidfTransformer",
        "feature_extraction.text.TfidfVectorizer",
        "frozen._frozen.FrozenEstimator",
        "linear_model._logistic.LogisticRegression",
        "pipeline.Pipeline",
        "preprocessing._data.StandardScaler",
    )
)
"""Estimators of scikit-learn that need no ``trusted``: semigen saves them, and no state of theirs
(``checks``) can crash a process."""


def save(
    estimator: BaseEstimator,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    notes: Mapping[str, JSON] | None = None,
) -> None:
    """Save an estimator, or a pipeline that contains one, to a file without code.

    The file is written beside ``path`` under another name and moved there when it is complete, so an
    interrupted save leaves ``path`` as it was.

    Parameters
    ----------
    estimator : estimator
        Fitted or not; an estimator of semigen or scikit-learn, or a ``Pipeline`` of them.
    path : str or path
        The file; the extension ``.semigen`` is the custom.
    overwrite : bool, default=False
        Whether an existing file may be replaced.
    notes : mapping, optional
        Anything that JSON can hold, to be stored with the model and read by :func:`read_notes`.

    Raises
    ------
    FileExistsError
        If ``path`` exists and ``overwrite`` is false.
    ModelFileError
        If the estimator holds something that :func:`load` would refuse, such as a function or an object of
        another library, or the notes are not JSON.
    """
    path = Path(path)
    refuse_existing(path, overwrite)
    payload = _dump(estimator)
    header = {
        "format": FORMAT,
        "semigen": __version__,
        "dependencies": _versions(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "estimator": _name_of(type(estimator)),
        "features": _features(estimator),
        "classes": _plain_list(getattr(estimator, "classes_", None)),
        "notes": dict(notes or {}),
        "sha256": hashlib.sha256(payload).hexdigest(),
    }
    try:
        text = json.dumps(header, indent=2, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ModelFileError(f"the notes of the model cannot be written as JSON: {error}.") from error
    with written_at_once(path, overwrite=overwrite) as unfinished:
        for compression in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
            with zipfile.ZipFile(unfinished, "w", compression=compression) as archive:
                archive.writestr(_HEADER, text)
                archive.writestr(_PAYLOAD, payload)
            if len(text) + len(payload) < most_unpacked(unfinished.stat().st_size):
                break  # else it is so uniform that load would take it for a bomb


def load(path: str | os.PathLike[str], *, trusted: Iterable[str | type] = ()) -> Any:
    """Load an estimator that :func:`save` wrote. No code in the file is run, whoever wrote it.

    A file from a stranger may predict nonsense. It cannot run code, crash or hang the process while it is
    loaded, or take more than three times the memory that it states (``unzip -l``), whatever is in it.

    Parameters
    ----------
    path : str or path
    trusted : iterable of str or type, optional
        Further types that the file may hold, such as ``sklearn.svm.SVC``: estimators of scikit-learn that you
        have put into a pool or a pipeline, as types or by the names that the error gives. Their state is not
        checked, and compiled code of theirs can be crashed by a wrong one: use it for files of people you
        trust.

    Returns
    -------
    estimator
        Its predictions are those of the saved one, bit for bit.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    MissingExtraError
        If the model needs libraries that are not installed.
    ModelFileError
        If the file is damaged, truncated or no model file, was written in a newer format, or holds a type
        that semigen does not save itself and that is not in ``trusted``.
    """
    path = Path(path)
    names = {one if isinstance(one, str) else _name_of(one) for one in trusted}
    header, payload = _read(path, with_payload=True)
    if hashlib.sha256(payload.getbuffer()).hexdigest() != header.get("sha256"):
        raise ModelFileError(
            f"{path}: the model does not match its checksum, so the file is damaged or was changed. "
            "Save it again."
        )

    def is_allowed(name: str) -> bool:
        return name in names or name in _OF_SKLEARN or _is_own_type(name)

    version = header["format"]
    names_of_1 = (name_now, attributes_now) if version == 1 else ()
    try:
        estimator = finish(Reader(payload, is_allowed, *names_of_1).read(), version)
        check_model(estimator, names)
    except MissingExtraError:
        raise
    except RefusedTypesError as error:
        raise ModelFileError(_refusal(path, error.names)) from error
    # A payload that semigen did not write leads to any error.
    except Exception as error:
        raise ModelFileError(
            f"{path}: the model cannot be rebuilt ({type(error).__name__}: {first_line(error)}). "
            f"{_version_advice(header)}"
        ) from error
    said, found = name_now(str(header.get("estimator"))), _name_of(type(estimator))
    if not isinstance(estimator, BaseEstimator) or said != found:
        raise ModelFileError(
            f"{path} says that it holds {said!r} but holds {found!r}: the file is damaged or was changed."
        )
    return estimator


def read_notes(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the notes that were saved with a model, without building the model.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    dict

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelFileError
        If the file is damaged, no model file, or of a newer format.
    """
    notes = _read(Path(path), with_payload=False)[0].get("notes")
    return notes if isinstance(notes, dict) else {}


def _dump(estimator: BaseEstimator) -> bytes:
    if not isinstance(estimator, BaseEstimator):
        raise ModelFileError(f"only estimators can be saved, and this is {_name_of(type(estimator))}.")
    writer = Writer(lambda name: name.startswith("sklearn.") or _is_own_type(name))
    try:
        payload = writer.write(estimator)
    # An unusual object leads to any error.
    except Exception as error:
        raise ModelFileError(
            f"{type(estimator).__name__} cannot be saved without pickle ({type(error).__name__}: {error})."
        ) from error
    if writer.refused:
        raise ModelFileError(
            f"{type(estimator).__name__} holds {_listing(sorted(set(writer.refused)))}, which a file without "
            "code cannot hold. Use an estimator of semigen or scikit-learn in its place."
        )
    return payload


def _refusal(path: Path, names: Sequence[str]) -> str:
    """What is said of a file that holds types that are not allowed, and what can be done."""
    could = [name for name in names if name.startswith(("sklearn.", "numpy.", "scipy."))]
    if len(could) < len(names):
        others = [name for name in names if name not in could]
        return (
            f"{path} holds {_listing(others)}, which is not part of a semigen model and could run code: the "
            "file is not loaded. If you trust it, ask its author for a file that semigen.save wrote."
        )
    return (
        f"{path} holds {_listing(names)}, which semigen does not put into a model by itself and a stranger "
        "could crash the process with: the file is not loaded. If you trust whoever wrote it: "
        f"semigen.load({str(path)!r}, trusted={list(names)!r})."
    )


def _is_own_type(name: str) -> bool:
    """Whether a name is that of an estimator, family, covariance or record that semigen defines.

    Functions, methods and imported names do not pass: what is built must be a class that is defined where its
    name says. The command line's modules are left out, as no model has anything from there.
    """
    module_name, _, class_name = name.rpartition(".")
    parts = module_name.split(".")
    if (
        parts[0] != "semigen"
        or len(parts) < 2
        or parts[1] == "cli"
        or any(part.startswith("__") for part in parts)
    ):
        return False
    try:
        module = sys.modules.get(module_name) or importlib.import_module(module_name)
    except MissingExtraError:
        raise
    except ImportError:
        return False
    found = vars(module).get(class_name)
    return (
        isinstance(found, type)
        and found.__module__ == module_name
        and (issubclass(found, _BASES) or is_dataclass(found))
    )


def _read(path: Path, *, with_payload: bool) -> tuple[dict[str, Any], io.BytesIO]:
    """Read the header, its format checked, and the payload if it is wanted."""
    not_a_model = f"{path} is not a semigen model, or is damaged or cut off"
    if path.is_dir():
        raise ModelFileError(f"{path} is a folder: give the model file in it, {path / 'model.semigen'}.")
    with path.open("rb") as file:
        try:
            archive = Archive(file, packed=True)
            header = read_json(archive.unpack(_HEADER).getvalue(), archive.stated)
            version = header.get("format") if isinstance(header, dict) else None
            if type(version) is not int or version < 1:
                raise ModelFileError(f"{not_a_model}: it states no format number.")
            if version > FORMAT:
                raise ModelFileError(
                    f"{path} has format {version}, written by semigen {header.get('semigen')}; this is "
                    f"semigen {__version__}, which reads formats up to {FORMAT}: upgrade semigen."
                )
            return header, archive.unpack(_PAYLOAD) if with_payload else io.BytesIO()
        except ModelFileError:
            raise
        # A damaged archive leads zipfile to any error.
        except Exception as error:
            raise ModelFileError(f"{not_a_model} ({type(error).__name__}: {first_line(error)}).") from error


def _features(estimator: BaseEstimator) -> list[dict[str, JSON]] | None:
    """Names, and kinds if the estimator tells them, of the columns that the estimator was fitted on."""
    names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        return None
    kinds = getattr(estimator, "feature_kinds_", None) or [None] * len(names)
    return [{"name": str(name), "kind": kind} for name, kind in zip(names, kinds, strict=True)]


def _plain_list(values: Any) -> list[JSON] | None:
    if values is None:
        return None
    return [
        value if isinstance(value, str | int | float | bool) else str(value)
        for value in np.asarray(values).tolist()
    ]


def _name_of(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _versions() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in _DEPENDENCIES}


def _version_advice(header: Mapping[str, Any]) -> str:
    then, now = header.get("dependencies"), _versions()
    changed = [
        f"{name} {then[name]} (here {now[name]})"
        for name in now
        if isinstance(then, dict) and then.get(name) not in (None, now[name])
    ]
    if not changed:
        return "The file is damaged or was changed."
    return f"It was saved with {', '.join(changed)}: load it with these versions and save it again."
