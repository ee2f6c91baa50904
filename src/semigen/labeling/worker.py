"""The process that learns: it reads what is labeled from standard input and answers on standard output.

Each line is a JSON object; arrays go through files of the job's folder. It ends with its parent, and the
folder with it.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

FEATURES, PROBABILITIES = "features.npy", "probabilities.npy"
JOB = "job.json"


class Latest:
    """The newest message of the parent; older ones are of no use."""

    def __init__(self, folder: Path) -> None:
        self._there = threading.Condition()
        self._message: dict[str, Any] | None = None
        threading.Thread(target=self._listen, args=(folder,), daemon=True).start()

    def take(self) -> dict[str, Any]:
        """Wait for the next message."""
        with self._there:
            self._there.wait_for(lambda: self._message is not None)
            message, self._message = self._message, None
        assert message is not None  # by now, there is one
        return message

    def _listen(self, folder: Path) -> None:
        for line in sys.stdin:
            with self._there:
                self._message = json.loads(line)
                self._there.notify()
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(0)  # also in the middle of a fit: nobody waits for it


def write_array(path: Path, values: Any) -> None:
    """Write an array that appears complete."""
    unfinished = path.with_suffix(".unfinished")
    with unfinished.open("wb") as file:
        np.save(file, values)
    os.replace(unfinished, path)


def main(folder: Path) -> None:
    """Read the rows of the job in ``folder``, then refit for every message."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no answer

    def send(answer: dict[str, Any]) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    with suppress(OSError, AttributeError):  # the page goes first
        os.nice(5)
    latest = Latest(folder)
    from semigen.exceptions import SemigenError
    from semigen.labeling.learning import Pool, refit

    job = json.loads((folder / JOB).read_text(encoding="utf-8"))
    try:
        pool = Pool.read(job, folder)
    except SemigenError as error:
        send({"event": "failed", "error": str(error), "final": True})
        latest.take()
        return
    write_array(folder / FEATURES, pool.features.astype(np.float32))
    send({"event": "ready"})
    last = None
    while True:
        message = latest.take()
        try:
            report, probabilities = refit(
                pool,
                message["given"],
                message["classes"],
                job["seed"],
                job["time_budget"],
                last,
                message["sample"],
            )
        except Exception as error:  # the session goes on without this refit, and says so
            traceback.print_exc()
            send({"event": "failed", "error": f"{type(error).__name__}: {error}", "final": False})
            continue
        if probabilities is not None:
            last = probabilities.argmax(axis=1)
            write_array(folder / PROBABILITIES, probabilities.astype(np.float32))
        send({"event": "fit", "n": message["n"], "model": probabilities is not None, **report})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
