"""The learning process, seen from the session: labels go in, reports come back, nobody waits."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semigen.labeling.items import Items
from semigen.labeling.worker import FEATURES, JOB, PROBABILITIES

Rows = NDArray[np.intp]

LOG = "log.txt"
"""What the process prints, in its folder."""


@dataclass(frozen=True, eq=False)
class Message:
    """What the process reported.

    Attributes
    ----------
    event : str
        "ready", "fit" or "failed".
    report : dict
    array : ndarray or None
        Of "ready" the features of the rows, of "fit" their probabilities (n, K), None without a model.
    """

    event: str
    report: dict[str, Any]
    array: NDArray[np.float32] | None = None


class Learner:
    """A process that holds some rows and refits to their labels.

    Parameters
    ----------
    items : Items
    rows : ndarray of intp
        The rows that it works on.
    seed : int
    time_budget : float
        Seconds of a refit, roughly.
    tell : callable
        Called with this learner and each :class:`Message`, from a thread of its own.
    """

    def __init__(
        self,
        items: Items,
        rows: Rows,
        seed: int,
        time_budget: float,
        tell: Callable[[Learner, Message], None],
    ) -> None:
        self.rows = rows
        self.place = {row: place for place, row in enumerate(rows.tolist())}
        self._tell = tell
        self._folder = Path(tempfile.mkdtemp(prefix="semigen-label-"))
        try:
            job = {**items.job(rows, self._folder), "seed": seed, "time_budget": time_budget}
            (self._folder / JOB).write_text(json.dumps(job), encoding="utf-8")
            with (self._folder / LOG).open("wb") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "semigen.labeling.worker", str(self._folder)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=_environment(),
                    text=True,
                    encoding="utf-8",
                    start_new_session=os.name == "posix",  # Ctrl-C is for the session
                )
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        threading.Thread(target=self._listen, daemon=True).start()

    def ask(
        self, given: Sequence[tuple[int, Sequence[int]]], classes: Sequence[str], sample: Sequence[int]
    ) -> None:
        """Ask for a refit to rows (by their place in ``rows``) with the numbers of their possible classes.

        ``sample``: the places of those that were drawn at random.
        """
        message = {"given": given, "classes": list(classes), "sample": sample, "n": len(given)}
        assert self._process.stdin is not None  # a pipe, as asked for
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except OSError:
            pass  # it has ended, which _listen tells

    def close(self) -> None:
        """End the process."""
        self._tell = lambda *_: None
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                if pipe is not None:
                    pipe.close()
            except OSError:
                pass
        shutil.rmtree(self._folder, ignore_errors=True)

    def _listen(self) -> None:
        assert self._process.stdout is not None  # a pipe, as asked for
        try:
            for line in self._process.stdout:
                report = json.loads(line)
                event = report.pop("event")
                array = None
                if event == "ready":
                    array = np.load(self._folder / FEATURES)
                elif event == "fit" and report.pop("model"):
                    array = np.load(self._folder / PROBABILITIES)
                self._tell(self, Message(event, report, array))
        except (OSError, ValueError):
            pass  # the session was closed meanwhile
        self._tell(self, Message("failed", {"error": "the learning process has ended", "final": True}))


def _environment() -> dict[str, str]:
    """One thread, so that the page answers at once, and the same modules as here."""
    paths = [path for path in sys.path if path]
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    return {**os.environ, **threads, "PYTHONPATH": os.pathsep.join(paths)}
