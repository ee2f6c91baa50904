"""What a fitted AutoClassifier shows of itself."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semigen.columns.tables import listing

Facts = list[tuple[str, str]]
"""Topics, and what there is to say."""


def facts(auto: Any, ensemble: str) -> Facts:
    """What a fit found; ``ensemble`` is the name of the ensemble in ``validation_``."""
    classes = auto.classes_.tolist()
    said = [("classes", _classes(classes, auto.class_rows_))]
    if auto.n_unlabeled_ is not None:
        said.append(
            ("unlabeled rows", f"{auto.n_unlabeled_:,}{'' if auto.unlabeled_used_ else ', not used'}")
        )
    said.append(("columns", f"{auto.n_features_in_:,}"))
    said += [("", note) for note in auto.schema_.notes]
    total = sum(auto.weights_.values()) or 1.0
    shares = [f"{one.name} {one.weight / total:.0%}" for one in auto.models_ if one.weight > 0]
    said.append(("models", ", ".join(shares)))
    if auto.validation_ is not None:
        score = auto.validation_.score(ensemble)
        accuracy, log_loss = score.accuracy, score.log_loss.value
        scores = f"accuracy {accuracy.value:.1%} ({accuracy.low:.1%} to {accuracy.high:.1%})"
        rows = f"{len(auto.validation_.rows):,} rows"
        said.append(("held-out labels", f"{scores}, log-loss {log_loss:.3f} nats per row, {rows}"))
    return said


def as_text(found: Facts) -> str:
    """Facts in lines."""
    width = max(len(topic) for topic, _ in found)
    return "\n".join(f"  {topic:<{width}}  {said}" for topic, said in found)


def as_html(title: str, found: Facts) -> str:
    """Facts as a table of HTML."""
    rows = "".join(f"<tr><th>{escape(topic)}</th><td>{escape(said)}</td></tr>" for topic, said in found)
    return f"<table><caption>{escape(title)}</caption>{rows}</table>"


def _classes(classes: Sequence[Any], rows: NDArray[np.float64] | None) -> str:
    if rows is None:
        return listing(list(map(str, classes)))
    said = (f"{name} ({count:.6g} labeled)" for name, count in zip(classes, rows.tolist(), strict=True))
    return listing(list(said))
