"""Errors and warnings.

Every error that semigen raises on a user's input is a ``ValueError`` or ``TypeError`` as in scikit-learn,
and has one of the names below, so that programs can tell errors apart without parsing messages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sklearn.exceptions import ConvergenceWarning, NotFittedError

__all__ = [
    "ClassNameWarning",
    "ClassNotMadeError",
    "ColumnError",
    "ColumnWarning",
    "ConvergenceWarning",
    "DatasetShiftWarning",
    "LabelError",
    "LabelWarning",
    "MissingExtraError",
    "ModelFileError",
    "NotFittedError",
    "ObjectiveDecreasedWarning",
    "ParameterError",
    "SemigenError",
    "TableError",
    "TrainingWarning",
]

_NAMED = 8  # columns in an error


class SemigenError(Exception):
    """Base of every error that semigen defines."""


class LabelError(SemigenError, ValueError):
    """The labels or the row weights cannot be used."""


class ColumnError(SemigenError, ValueError):
    """A column of the input cannot be used: text, missing values, wrong or absent names.

    Parameters
    ----------
    message : str
        What was seen, and where.
    cure : str
        What helps in Python; ``seen`` is the message without it, for those who have another one.
    columns : sequence of int
        Numbers of the columns that it is about, where whoever found it knows no names (:meth:`named`); the
        message then begins with them.
    """

    def __init__(self, message: str, cure: str = "", *, columns: Sequence[int] = ()) -> None:
        self.what = f"{message} {cure}" if cure else message
        where = f"column(s) {_few(columns)}, counted from 0: " if columns else ""
        super().__init__(f"{where}{self.what}")
        self.seen = f"{where}{message}"
        self.columns = tuple(columns)

    def named(self, name: Callable[[int], Any]) -> ColumnError:
        """The same with the ``name`` of each of its columns; itself where it is about none."""
        names = list(dict.fromkeys(repr(name(column)) for column in self.columns))
        return ColumnError(f"column(s) {_few(names)}: {self.what}") if names else self


def _few(names: Sequence[Any]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(map(str, names[:_NAMED]))}{more}"


class ParameterError(SemigenError, ValueError):
    """A parameter of an estimator has an invalid value, or one that does not fit the data."""


class ClassNotMadeError(ParameterError):
    """The generator of a GAN produces too few rows of a class."""


class TableError(SemigenError, ValueError):
    """A file with a table cannot be read, or lacks something that is needed."""


class ModelFileError(SemigenError, ValueError):
    """A saved model is damaged, newer than this library, or holds something that is not allowed."""


class MissingExtraError(SemigenError, ImportError):
    """A part of semigen needs libraries that an extra installs: ``pip install "semigen[extra]"``."""


class ObjectiveDecreasedWarning(UserWarning):
    """The objective of an EM fit fell by more than rounding: a bug in a family or a covariance shape."""


class CheckpointWarning(UserWarning):
    """How far a fit has come cannot be written; the fit goes on."""


class ColumnWarning(UserWarning):
    """A column is read as something that may not be meant, or rows are beyond what a model can compute."""


class LabelWarning(UserWarning):
    """Labels or weights can be used, but look as if something else was meant."""


class ClassNameWarning(LabelWarning):
    """A class has a name that often means "no label", or that differs from another only by spaces or case."""


class DatasetShiftWarning(UserWarning):
    """Labeled and unlabeled rows differ: in correlations of columns, or many of the latter lie outside."""


class TrainingWarning(UserWarning):
    """The training of a deep model ended before its last step, or it cannot generate rows of a class."""
