"""The state of training on disk, so that it can be resumed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from semigen.exceptions import ParameterError


def checked_path(value: Any) -> Path | None:
    """The path of a checkpoint, None for none.

    Raises
    ------
    ParameterError
        If it is no path, or its folder does not exist.
    """
    if value is None:
        return None
    if not isinstance(value, str | os.PathLike):
        raise ParameterError(f"checkpoint={value!r}: use the path of a file, or None.")
    path = Path(value)
    if not path.parent.is_dir():
        raise ParameterError(
            f"checkpoint={str(path)!r}: the folder {str(path.parent)!r} does not exist; create it, or choose "
            "another path."
        )
    if path.is_dir():
        raise ParameterError(f"checkpoint={str(path)!r} is a folder: use the path of a file.")
    return path


def fold_path(checkpoint: Any, number: int) -> Path | None:
    """The path of the checkpoint of a fold, beside that of the fit; None for none."""
    path = checked_path(checkpoint)
    return None if path is None else path.with_name(f"{path.name}.fold-{number}")


@dataclass(frozen=True)
class Checkpoint:
    """A file with the state of training after a round.

    Attributes
    ----------
    path : Path
    fingerprint : str or None
        Hash of the settings and the data: a checkpoint of others is refused. None: not known yet.
    parameters : str
        Hash of the parameters alone, by which others are refused before anything is computed.
    """

    path: Path
    fingerprint: str | None
    parameters: str = ""

    def write(self, state: dict[str, Any]) -> None:
        """Replace the file atomically: an interruption leaves the previous one."""
        unfinished = self.path.with_name(f".{self.path.name}.unfinished")
        known = {"fingerprint": self.fingerprint, "parameters": self.parameters}
        torch.save({**known, **state}, unfinished)
        os.replace(unfinished, self.path)

    def read(self, n_steps: int) -> dict[str, Any] | None:
        """The state of training, on the CPU; None if there is no file.

        Raises
        ------
        ParameterError
            If the file is not a checkpoint, or is of other settings or data, or of more steps.
        """
        if not self.path.exists():
            return None
        try:  # weights_only: tensors and plain containers, no code from the file
            state = torch.load(self.path, map_location="cpu", weights_only=True)
            fingerprint = state["fingerprint"]
        # torch raises many types of errors on wrong content.
        except Exception as error:
            raise ParameterError(
                f"checkpoint={str(self.path)!r} is not a checkpoint, or is damaged ({type(error).__name__}): "
                "remove the file, or choose another path."
            ) from error
        others = state.get("parameters", self.parameters) != self.parameters
        if others or self.fingerprint not in (None, fingerprint):
            raise ParameterError(
                f"checkpoint={str(self.path)!r} was saved with other settings or data: use the same to "
                "resume, or remove the file to start again."
            )
        if state["step"] > n_steps:
            raise ParameterError(
                f"checkpoint={str(self.path)!r} is of a fit of {state['step']} steps, and n_steps={n_steps}: "
                "raise n_steps to go on, or choose another path."
            )
        return dict(state)


def fingerprint(settings: Any, tensors: Iterable[Tensor]) -> str:
    """A hash of settings and data.

    Settings are numbers, text, arrays, functions (by name), and records and tuples of these.
    """
    digest = hashlib.sha256(repr(_plain(settings)).encode())
    for tensor in tensors:
        digest.update(repr(tuple(tensor.shape)).encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    """Settings with a repr that is the same in every process and has all numbers of arrays."""
    if is_dataclass(value):
        own = (one.name for one in fields(value) if one.compare)
        return [type(value).__name__, *(_plain(getattr(value, name)) for name in own)]
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, np.ndarray):
        return value.tolist()
    return f"{value.__module__}.{value.__qualname__}" if hasattr(value, "__qualname__") else value
