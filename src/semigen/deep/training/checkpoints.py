"""A training on disk, so that it can be resumed."""

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


@dataclass(frozen=True)
class Checkpoint:
    """A file that holds a training after its last round.

    Attributes
    ----------
    path : Path
    fingerprint : str
        Of the settings and the data: another fit's checkpoint is not resumed.
    """

    path: Path
    fingerprint: str

    def write(self, state: dict[str, Any]) -> None:
        """Replace the file at once, so that an interruption leaves the earlier one."""
        unfinished = self.path.with_name(f".{self.path.name}.unfinished")
        torch.save({"fingerprint": self.fingerprint, **state}, unfinished)
        os.replace(unfinished, self.path)

    def read(self) -> dict[str, Any] | None:
        """The training, on the CPU; None if there is no file.

        Raises
        ------
        ParameterError
            If the file is not a checkpoint, or one of other settings or data.
        """
        if not self.path.exists():
            return None
        try:  # weights_only: builds tensors and plain containers, and runs no code of the file
            state = torch.load(self.path, map_location="cpu", weights_only=True)
            fingerprint = state["fingerprint"]
        # torch raises whatever a wrong content leads it to.
        except Exception as error:
            raise ParameterError(
                f"checkpoint={str(self.path)!r} is not a checkpoint, or is damaged ({type(error).__name__}): "
                "remove it, or give another name."
            ) from error
        if fingerprint != self.fingerprint:
            raise ParameterError(
                f"checkpoint={str(self.path)!r} is of a fit with other settings or data: fit with those to "
                "go on from it, or remove it to start anew."
            )
        return dict(state)


def fingerprint(settings: Any, tensors: Iterable[Tensor]) -> str:
    """A hash of settings and of the data.

    Settings are numbers, text, arrays, functions (by their names), and records and tuples of such.
    """
    digest = hashlib.sha256(repr(_plain(settings)).encode())
    for tensor in tensors:
        digest.update(repr(tuple(tensor.shape)).encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    """Settings whose repr is the same in every process, with all numbers of arrays."""
    if is_dataclass(value):
        return [type(value).__name__, *(_plain(getattr(value, one.name)) for one in fields(value))]
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, np.ndarray):
        return value.tolist()
    return f"{value.__module__}.{value.__qualname__}" if hasattr(value, "__qualname__") else value
