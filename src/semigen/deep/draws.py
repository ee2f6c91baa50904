"""Random numbers of deep models: seeds, and draws that leave torch's own stream as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from torch import Tensor

from semigen.exceptions import ParameterError


def random_seed(random_state: Any) -> int:
    """A seed drawn from ``random_state``."""
    return int(check_random_state(random_state).randint(2**31))


def mix(seed: int, number: int) -> int:
    """The seed of the ``number``-th use of a seed; neighboring numbers give unrelated seeds."""
    return (seed * 0x9E3779B97F4A7C15 + (number + 1) * 0xBF58476D1CE4E5B9) % 2**63


@contextmanager
def forked() -> Iterator[None]:
    """Torch's random numbers inside are none of the caller's: its streams are restored afterwards."""
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        yield


@contextmanager
def drawing(random_state: Any) -> Iterator[None]:
    """Torch's random numbers from ``random_state``, without gradients; its stream is restored afterwards."""
    with forked(), torch.no_grad():
        torch.manual_seed(random_seed(random_state))
        yield


def class_index(classes: NDArray[Any], y: Any) -> int:
    """The index of class ``y``.

    Raises
    ------
    ParameterError
        If it is not one of the classes.
    """
    known = classes.tolist()
    if y not in known:
        raise ParameterError(f"y={y!r} is not among the classes {known!r}.")
    return int(known.index(y))


def draw_classes(n: int, y: Any, classes: NDArray[Any], prior: NDArray[np.float64]) -> Tensor:
    """Indices of ``n`` classes, (n,): that of ``y``, or drawn from ``prior`` if it is None."""
    if y is None:
        return torch.multinomial(torch.from_numpy(prior), n, replacement=True)
    return torch.full((n,), class_index(classes, y))
