"""Who is told about the steps of a fit."""

from __future__ import annotations

import time
from collections.abc import Callable

Progress = Callable[[int, int, str], None]
"""Called with the steps done, the steps in all, and what was done."""

LINES = 16
"""Lines that ``verbose`` prints at most."""


class Steps:
    """Tells of steps: calls ``progress``, and with ``verbose`` prints some of them."""

    def __init__(self, verbose: int, progress: Progress | None) -> None:
        self.begin = time.perf_counter()
        self._verbose, self._progress = verbose, progress

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.perf_counter() - self.begin

    def __call__(self, done: int, total: int, name: str) -> None:
        """One more step is done."""
        if self._progress is not None:
            self._progress(done, total, name)
        if self._verbose and done * LINES // total > (done - 1) * LINES // total:
            print(f"{self.seconds:6.1f} s  {done}/{total}  {name}")
