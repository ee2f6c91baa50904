"""Where a fit runs: accelerate's device, precision and processes."""

from __future__ import annotations

from typing import Any

import torch

from semigen.exceptions import ParameterError

DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = {"float32": "no", "bfloat16": "bf16"}


def accelerator_for(device: str, precision: str) -> Any:
    """An ``Accelerator`` of that device and precision; "auto" is the best device there is.

    Under ``accelerate launch`` every process gets its own device, and the gradients are averaged.
    """
    from accelerate import Accelerator  # takes a second to import
    from accelerate.state import AcceleratorState, PartialState
    from accelerate.utils import DistributedDataParallelKwargs

    check_device(device)
    if PartialState().num_processes == 1:
        # accelerate keeps the first device and precision of a process for good; a second fit may want others.
        AcceleratorState._reset_state(reset_partial_state=True)
    return Accelerator(
        cpu=device == "cpu",
        mixed_precision=PRECISIONS[precision],
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )


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
