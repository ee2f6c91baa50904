"""How far a fit is, for a person who waits for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from semigen.common.progress import Steps
from semigen.em import Fit

T = TypeVar("T")
Seen = Callable[[int, float], None]


class Watch:
    """Names the iteration of a fit, and the labels that are left out of it, on a terminal.

    Parameters
    ----------
    verbose : int or None
        With None a terminal shows one line after two seconds; any number is silent here.
    n_fits : int
        How many fits there are, for each of which labels are left out.
    """

    def __init__(self, verbose: int | None, n_fits: int) -> None:
        self._steps = Steps(None if verbose is None else 0, None)
        self._done, self._all = 0, 2 * n_fits

    def each(self, run: Callable[..., Fit]) -> Callable[..., Fit]:
        """The same EM, seen iteration by iteration."""

        def watched(*given: Any, on_iteration: Seen | None = None, **options: Any) -> Fit:
            def seen(iteration: int, objective: float) -> None:
                self._steps(self._done, self._all, f"fit, iteration {iteration}")
                if on_iteration is not None:
                    on_iteration(iteration, objective)

            return run(*given, on_iteration=seen, **options)

        return watched

    def done(self, found: T) -> T:
        """What was found, once a fit is done or judged."""
        self._done = min(self._done + 1, self._all - 1)
        return found

    def left_out(self, fold: int, n_folds: int) -> None:
        """So many folds of labels have been left out."""
        self._steps(self._done, self._all, f"labels left out, fold {fold} of {n_folds}")
        if fold == n_folds:
            self.done(fold)

    def end(self) -> None:
        """Nothing is left to do."""
        self._steps(self._all, self._all, "done")
