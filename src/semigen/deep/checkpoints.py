"""A training on disk, so that it can be resumed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    """A hash of settings, by their repr, and of the data."""
    digest = hashlib.sha256(repr(settings).encode())
    for tensor in tensors:
        digest.update(repr(tuple(tensor.shape)).encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
