"""Where training runs: accelerate handles processes, and this module the device and the precision.

accelerate keeps the first device and precision for the life of a process, but the next estimator may ask for
others. So it only handles what several processes share.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch

from semigen.common.threads import thread_count
from semigen.exceptions import ParameterError

DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("float32", "bfloat16")


def new_accelerator() -> Any:
    """An ``Accelerator``; under ``accelerate launch`` it averages gradients over all processes."""
    from accelerate import Accelerator  # takes a second to import
    from accelerate.utils import DistributedDataParallelKwargs

    return Accelerator(
        device_placement=False, kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)]
    )


def common_seed(seed: int) -> int:
    """The main process's seed, in all processes: they share one shuffled stream of rows."""
    if new_accelerator().num_processes == 1:
        return seed
    from accelerate.utils import broadcast_object_list

    return int(broadcast_object_list([seed])[0])


def device_for(accelerator: Any, device: str) -> torch.device:
    """The device to train on: for "auto", and with several processes, that of accelerate.

    Raises
    ------
    ParameterError
        If the device is unknown or absent, or is not the one that the processes were launched on.
    """
    check_device(device)
    own: torch.device = accelerator.device
    if device == "auto" or device == own.type:
        return own
    if accelerator.num_processes > 1:
        raise ParameterError(
            f"device={device!r}, but `accelerate launch` runs {accelerator.num_processes} processes on "
            f"{own.type!r}: use device='auto', and choose with `accelerate launch --cpu` or without."
        )
    return torch.device(device)


@contextmanager
def thread_limit(n_jobs: int | None) -> Iterator[None]:
    """A context in which torch computes with so many threads on the CPU; None: with as many as it has.

    Raises
    ------
    ParameterError
        If it is neither None, -1 nor a positive integer.
    """
    if n_jobs is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(thread_count(n_jobs))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def autocast(device: torch.device, precision: str) -> AbstractContextManager[Any]:
    """A context in which matrix products have this precision."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def check_device(device: Any) -> None:
    """Refuse a device that is unknown or absent.

    Raises
    ------
    ParameterError
    """
    if device not in DEVICES:
        raise ParameterError(f"device={device!r} is not available: use {', '.join(map(repr, DEVICES))}.")
    absent = (device == "cuda" and not torch.cuda.is_available()) or (
        device == "mps" and not torch.backends.mps.is_available()
    )
    if absent:
        raise ParameterError(f"device={device!r}: PyTorch finds none here. Use 'auto', or 'cpu'.")


def check_precision(precision: Any) -> None:
    """Refuse a precision that is unknown.

    Raises
    ------
    ParameterError
    """
    if precision not in PRECISIONS:
        raise ParameterError(f"precision={precision!r}: use {' or '.join(map(repr, PRECISIONS))}.")
