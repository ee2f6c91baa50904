"""Classes that may not be meant as such: words for "no label", and one name spelled in several ways."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from numpy.typing import NDArray

from semigen.common.notices import warn
from semigen.exceptions import ClassNameWarning

_NOTHING = {
    "?", "-", "--", ".", "na", "n/a", "#n/a", "nan", "<na>", "null", "nil", "none", "missing",
    "unknown", "unlabeled", "unlabelled", "not labeled", "no label", "undefined", "tbd", "n.a.", "(null)",
    "(blank)", "(empty)", "\\n", "no data", "not available", "not applicable",
    "#null!", "#value!", "#ref!", "#div/0!", "#num!", "#name?",
}  # fmt: skip
_MOST_SHOWN = 3


def means_nothing(text: str) -> bool:
    """Whether a text is a word or mark that often stands where there is nothing, such as ``?`` or ``N/A``."""
    return text.strip().lower() in _NOTHING


def spelled_alike(names: Iterable[Any]) -> list[list[str]]:
    """Texts that differ only by spaces around them or by case, group by group."""
    alike: dict[str, list[str]] = {}
    for name in names:
        if isinstance(name, str):
            alike.setdefault(name.strip().casefold(), []).append(name)
    return [same for same in alike.values() if len(same) > 1]


def warn_of_names(classes: NDArray[Any], count: NDArray[Any]) -> None:
    """Warn of classes whose names may mean "no label", or another class.

    Parameters
    ----------
    classes : ndarray of shape (K,)
    count : ndarray of shape (K,)
        Labeled rows of each.
    """
    if classes.dtype.kind != "U":
        return
    rows = dict(zip(classes.tolist(), count.astype(int).tolist(), strict=True))

    def shown(names: list[str]) -> str:
        some = ", ".join(
            f"{name!r} ({rows[name]:,} row{'s' * (rows[name] != 1)})" for name in names[:_MOST_SHOWN]
        )
        return some if len(names) <= _MOST_SHOWN else f"{some} and {len(names) - _MOST_SHOWN} more"

    nothing = [name for name in rows if means_nothing(name)]
    if nothing:
        warn(
            f"y has rows of the class {shown(nothing)}. If that means 'no label', pass "
            f"unlabeled={nothing[0]!r}, or None in its place in y.",
            ClassNameWarning,
        )
    same = [name for names in spelled_alike(rows) for name in names]
    if same:
        warn(
            f"y has classes that differ only by spaces or case: {shown(same)}. If they are one class, give "
            "them one spelling.",
            ClassNameWarning,
        )
