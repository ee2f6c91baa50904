"""Progress reports of a fit, and its time budget."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from semigen.common.checks import real

Progress = Callable[[int, int, str], None]
"""Called with the number of steps done, the number of all steps, and the name of the last one."""

LINES = 16
"""Lines that ``verbose`` prints, at most."""


PATIENCE = 2.0
"""Seconds after which a person who waits is told how far a fit is."""
WIDTH = 60


def part(progress: Progress | None, before: int, after: int, what: str = "") -> Progress | None:
    """The progress of one of several parts, with so many steps before and after it; ``what`` names all."""
    if progress is None:
        return None
    return lambda done, total, name: progress(before + done, before + total + after, what or name)


class Steps:
    """Reports steps: calls ``progress``, and with ``verbose`` prints some of them.

    With neither (``verbose=None``) a terminal shows the last step in one line after two seconds, which goes
    when all are done.
    """

    def __init__(self, verbose: int | None, progress: Progress | None) -> None:
        self._begin = time.perf_counter()
        self._verbose, self._progress = verbose, progress
        self._line = verbose is None and progress is None and sys.stderr is not None and sys.stderr.isatty()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self._begin

    def __call__(self, done: int, total: int, name: str) -> None:
        """Report one more step."""
        if self._progress is not None:
            self._progress(done, total, name)
        if self._verbose and done * LINES // total > (done - 1) * LINES // total:
            print(f"{self.seconds:6.1f} s  {done}/{total}  {name}")
        if self._line and self.seconds > PATIENCE:
            said = "" if done >= total else f"{done}/{total}  {name}"[:WIDTH]
            print(f"\r{said:{WIDTH}}", end="" if said else "\r", file=sys.stderr, flush=True)


class Clock(Steps):
    """Steps within a time budget in seconds; None: no limit."""

    def __init__(self, budget: float | None, verbose: int | None, progress: Progress | None) -> None:
        super().__init__(verbose, progress)
        self.budget = None if budget is None else real("time_budget", budget, minimum=0)
        self.reserved = 0.0

    def left(self, share: float = 1.0) -> float | None:
        """A share of the remaining seconds, without those that are reserved."""
        if self.budget is None:
            return None
        return share * max(self.budget - self.seconds - self.reserved, 0.0)

    def reserve(self, seconds: float) -> None:
        """Keep seconds for what follows, but no more than half of what is left."""
        self.reserved = min(seconds, 0.5 * (self.left() or 0.0))

    def first(self, n_mixtures: int) -> Callable[[int, int], None]:
        """Report mixtures as the first half of the steps: the number of fits to follow is not known yet."""
        return lambda done, total: self(done, 2 * n_mixtures, "mixture")

    def after(self, n_mixtures: int) -> Progress:
        """Report the fits that follow the mixtures as the second half."""
        return lambda done, total, name: self(
            n_mixtures + round(n_mixtures * done / total), 2 * n_mixtures, name
        )
