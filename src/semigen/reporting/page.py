"""The page of a record: one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from semigen.common.text import in_short, shortened, visible
from semigen.exceptions import MissingExtraError
from semigen.reporting.view import view

_NEEDED = ("jinja2", "matplotlib")
_MOST_NAME = 400
_MOST_ABOVE = 45


def missing_extra() -> MissingExtraError | None:
    """Why there can be no page; None where there can."""
    absent = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if not absent:
        return None
    return MissingExtraError(
        f'a report needs {" and ".join(absent)}, which the extra "report" installs: '
        'pip install "semigen[report]".'
    )


def html_page(record: Mapping[str, Any]) -> str:
    """The page of a record, as HTML.

    Parameters
    ----------
    record : mapping
        What ``summary.json`` holds.

    Raises
    ------
    MissingExtraError
        If Jinja2 or matplotlib is not installed.
    """
    missing = missing_extra()
    if missing is not None:
        raise missing
    from semigen.reporting.figures import pictures

    script = _resource("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return str(
        _template().render(
            **view(record),
            pictures=pictures(record),
            style=style() + _resource("report.css"),
            script=script,
            script_hash=f"sha256-{digest}",
        )
    )


def style() -> str:
    """The style sheet of every page of the house: colors, type, tables, buttons."""
    return _resource("style.css")


def _resource(name: str) -> str:
    return (files("semigen.reporting") / "templates" / name).read_text(encoding="utf-8")


@cache
def _template() -> Any:
    from jinja2 import Environment, PackageLoader

    environment = Environment(
        loader=PackageLoader("semigen.reporting"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "name": _name,
        "said": _said,
        "short": _short,
        "percent": _percent,
        "number": _number,
    }
    return environment.get_template("report.html")


def _name(value: Any) -> str:
    """A name or a value from the table: characters that hide or reorder are shown as escapes."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.6g}"
    return shortened(visible(str(value)), _MOST_NAME)


def _said(sentence: str | None) -> str:
    """A sentence, however long."""
    return "–" if sentence is None else visible(sentence)


def _short(name: Any) -> str:
    """The name of a column above its cells."""
    return in_short(_name(name), _MOST_ABOVE)


def _percent(share: float | None, digits: int = 1) -> str:
    return "–" if share is None else f"{100 * share:.{digits}f} %"


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"
