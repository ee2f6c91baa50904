"""How far a fit has come, on disk: an interrupted fit goes on from there.

A fit of a :class:`semigen.MixtureClassifier` is a sequence of EM runs (levels, λ, starts) that follows from
its rows and parameters. The file holds the runs that are done and how far the current one has come; when the
same fit is called again, runs that are done are taken from it. Everything between the runs is computed anew.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator

from semigen.columns.streams import ReadSource
from semigen.em import Blocks, Climb, Data, Engine, Fit, Mixture, Params, fit
from semigen.exceptions import ModelFileError, ParameterError
from semigen.io.models import load, read_notes, save

NAME = "fit.semigen"
SECONDS = 30.0
"""Between two writes of a checkpoint."""

_NOT_OF_THE_FIT = ("engine", "verbose", "checkpoint")


class FitState(BaseEstimator):
    """The runs of a fit, in the form of an estimator so that the file is a model file.

    Attributes
    ----------
    runs_ : tuple of Fit
        Those that are done, in their order.
    climb_ : Climb or None
        How far the next one has come.
    """

    def __init__(self) -> None:
        self.runs_: tuple[Fit, ...] = ()
        self.climb_: Climb | None = None


class Checkpoint:
    """Runs EM in place of :func:`semigen.em.fit`, and remembers it in a file."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.path, self.fingerprint = folder / NAME, fingerprint
        self.state = self._read()
        self.done = 0
        self.saved = time.monotonic()

    def __call__(
        self, mixture: Mixture, prior: Any, data: Blocks, params: Params, engine: Engine, **options: Any
    ) -> Fit:
        number, self.done = self.done, self.done + 1
        if number < len(self.state.runs_):
            return self.state.runs_[number]
        try:
            found = fit(
                mixture,
                prior,
                data,
                params,
                engine,
                **options,
                resumed=self.state.climb_,
                on_climb=self._climbed,
            )
        except BaseException:
            self._write()
            raise
        self.state.runs_, self.state.climb_ = (*self.state.runs_, found), None
        self._write()
        return found

    def forget(self) -> None:
        """Remove the file: the fit is done."""
        self.path.unlink(missing_ok=True)
        with suppress(OSError):  # of other files
            self.path.parent.rmdir()

    def _climbed(self, climb: Climb) -> None:
        self.state.climb_ = climb
        if time.monotonic() - self.saved >= SECONDS:
            self._write()

    def _write(self) -> None:
        save(self.state, self.path, overwrite=True, notes={"fit": self.fingerprint})
        self.saved = time.monotonic()

    def _read(self) -> FitState:
        if not self.path.exists():
            return FitState()
        if read_notes(self.path).get("fit") != self.fingerprint:
            raise ParameterError(
                f"checkpoint={str(self.path.parent)!r} is of other rows or parameters: pass the same "
                f"ones to go on, or remove {self.path.name} there to start again."
            )
        found = load(self.path)
        if not isinstance(found, FitState):
            raise ModelFileError(f"{self.path} is no checkpoint but a {type(found).__name__}: remove it.")
        return found


def runner(estimator: Any, X: Any, rows: Blocks) -> Callable[..., Fit]:
    """What fits from a start: EM, or with ``checkpoint`` EM that is remembered.

    Raises
    ------
    ParameterError
        If the checkpoint is of another fit.
    """
    if estimator.checkpoint is None:
        return fit
    folder = Path(estimator.checkpoint)
    folder.mkdir(parents=True, exist_ok=True)
    return Checkpoint(folder, _fingerprint(estimator, X, rows))


def finished(run: Callable[..., Fit]) -> None:
    """Remove the checkpoint of a fit that is done."""
    if isinstance(run, Checkpoint):
        run.forget()


def _fingerprint(estimator: Any, X: Any, rows: Blocks) -> str:
    """A hash of the parameters and the rows of a fit."""
    given = estimator.get_params(deep=False)
    digest = hashlib.sha256(
        repr([(k, _plain(given[k])) for k in sorted(given) if k not in _NOT_OF_THE_FIT]).encode()
    )
    if isinstance(X, ReadSource):
        digest.update(X.rows.source.fingerprint.encode())
    elif isinstance(rows, Data):
        x: Any = rows.x
        arrays = [getattr(x, name) for name in ("data", "indices", "indptr")] if issparse(x) else [x]
        for one in (*arrays, rows.labels.log_table, rows.labels.pattern, rows.weight):
            digest.update(repr((one.shape, one.dtype.str)).encode())
            for piece in np.array_split(one, max(1, one.nbytes >> 24)) if one.size else ():
                digest.update(np.ascontiguousarray(piece).tobytes())
        digest.update(repr(rows.labels.classes.tolist()).encode())
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    """A parameter with a repr that is the same in every process."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return sorted((repr(key), _plain(one)) for key, one in value.items())
    if isinstance(value, str | int | float | tuple | list | None):
        return value
    return type(value).__name__, _plain(vars(value)) if hasattr(value, "__dict__") else ""
