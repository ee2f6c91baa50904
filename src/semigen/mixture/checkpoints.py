"""How far a fit has come, on disk: an interrupted fit goes on from there.

A fit is a sequence of runs that follows from its rows and parameters: of a :class:`semigen.MixtureClassifier`
EM runs (levels, λ, starts), of a :class:`semigen.AutoClassifier` its representations, models and folds. The
file holds the runs that are done and how far the current one of EM has come; when the same fit is called
again, runs that are done are taken from it. Everything between the runs is computed anew.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator

from semigen.columns.streams import ReadSource
from semigen.common.notices import warn
from semigen.em import Blocks, Climb, Data, Engine, Fit, Mixture, Params, fit
from semigen.exceptions import CheckpointWarning, ModelFileError, ParameterError
from semigen.io.models import load, read_notes, save

SECONDS = 30.0
"""Between two writes of a checkpoint."""

_NOT_OF_THE_FIT = ("engine", "n_jobs", "time_budget", "verbose", "checkpoint")
T = TypeVar("T")


class FitState(BaseEstimator):
    """The runs of a fit, in the form of an estimator so that the file is a model file.

    Attributes
    ----------
    runs_ : tuple
        What those that are done gave, in their order.
    climb_ : Climb or None
        How far EM has come in the next one.
    """

    def __init__(self) -> None:
        self.runs_: tuple[Any, ...] = ()
        self.climb_: Climb | None = None


class Kept:
    """Runs of an ensemble that are remembered in a file.

    Parameters
    ----------
    path : Path
        The file; its folder is made when the file is first written.
    fingerprint : str
        What tells the fit from others.

    Raises
    ------
    ParameterError
        If the file is of another fit.
    """

    name = "ensemble.semigen"

    @classmethod
    def of(cls, estimator: Any, X: Any, rows: Blocks, *more: Any) -> Self | None:
        """What remembers the runs of an estimator's fit; None where it has no ``checkpoint``.

        ``more`` is what a fit depends on beside parameters and rows.
        """
        if estimator.checkpoint is None:
            return None
        if Path(estimator.checkpoint).is_file():
            raise ParameterError(
                f"checkpoint={str(estimator.checkpoint)!r} is a file: name a folder, new or not."
            )
        fingerprint = " ".join([_fingerprint(estimator, X, rows), *map(str, more)])
        return cls(Path(estimator.checkpoint) / cls.name, fingerprint)

    def __init__(self, path: Path, fingerprint: str) -> None:
        self.path, self.fingerprint = path, fingerprint
        self.state = self._read()
        self.done = 0
        self.saved = time.monotonic()

    def run(self, make: Callable[[], T]) -> T:
        """What ``make`` gives, or gave before the fit was interrupted."""
        number, self.done = self.done, self.done + 1
        if number < len(self.state.runs_):
            found: T = self.state.runs_[number]
            return found
        found = make()
        self.state.runs_, self.state.climb_ = (*self.state.runs_, found), None
        self._write_in_time()
        return found

    def forget(self) -> None:
        """Remove the file: the fit is done."""
        self.path.unlink(missing_ok=True)
        with suppress(OSError):  # of other files, or never made
            self.path.parent.rmdir()

    def _write_in_time(self) -> None:
        if time.monotonic() - self.saved >= SECONDS:
            self._write()

    def _write(self) -> None:
        """Write the file; a fit whose checkpoint cannot be written goes on."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            save(self.state, self.path, overwrite=True, notes={"fit": self.fingerprint})
        except OSError as error:
            warn(
                f"{self.path} cannot be written: {error.strerror or error}. The fit goes on and tries again "
                f"every {SECONDS:.0f} seconds; an interruption costs what came after the last checkpoint.",
                CheckpointWarning,
            )
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


class Checkpoint(Kept):
    """Runs EM in place of :func:`semigen.em.fit`, and remembers it, and how far it has come."""

    name = "fit.semigen"

    def __call__(
        self, mixture: Mixture, prior: Any, data: Blocks, params: Params, engine: Engine, **options: Any
    ) -> Fit:
        options |= {"resumed": self.state.climb_, "on_climb": self._climbed}

        def climb() -> Fit:
            try:
                return fit(mixture, prior, data, params, engine, **options)
            except BaseException:
                self._write()
                raise

        return self.run(climb)

    def _climbed(self, climb: Climb) -> None:
        self.state.climb_ = climb
        self._write_in_time()


def at_once(make: Callable[[], T]) -> T:
    """What ``make`` gives: a run of a fit that is not remembered."""
    return make()


def _fingerprint(estimator: Any, X: Any, rows: Blocks) -> str:
    """A hash of the parameters and the rows of a fit."""
    given = estimator.get_params(deep=False)
    digest = hashlib.sha256(
        repr([(k, _plain(given[k])) for k in sorted(given) if k not in _NOT_OF_THE_FIT]).encode()
    )
    if isinstance(X, ReadSource):
        digest.update(repr((X.rows.source.fingerprint, X.schema.kinds)).encode())
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
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, str | int | float | None):
        return value
    return type(value).__name__, _plain(vars(value)) if hasattr(value, "__dict__") else ""
