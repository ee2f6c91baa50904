"""The loop of a session: which labels the learning process has seen, and what it said of the rows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semigen.labeling.items import Items
from semigen.labeling.learner import Learner, Message

POOL = 5_000
"""Rows that the loop works on, if there are more: labeled ones and a random sample of the others."""
MOST_LABELED = 4_000
REFIT_AFTER = 0.02
"""New labels that start a refit, as a share of those that there are; at least one."""
SEEN = 0.8
"""The process begins anew with other rows if it works on a smaller share of those that are labeled."""
NEIGHBORS = 3

LabelsByRow = Mapping[int, tuple[str, ...]]


class Loop:
    """What a session knows of the model. Its caller holds the lock of the session.

    Attributes
    ----------
    busy : bool
        Whether the process reads the rows or refits.
    trouble : str
        Why there are no more refits; empty if all is well.
    """

    def __init__(
        self,
        items: Items,
        order: NDArray[np.intp],
        seed: int,
        time_budget: float,
        changed: threading.Condition,
        learned: Callable[[Mapping[str, Any], bool], None],
        free: Callable[[], None],
    ) -> None:
        self.busy = False
        self.trouble = ""
        self._items, self._order = items, order
        self._seed, self._time_budget = seed, time_budget
        self._changed, self._learned, self._free = changed, learned, free
        self._learner: Learner | None = None
        self._features: NDArray[np.float32] | None = None
        self._probabilities: NDArray[np.float32] | None = None
        self._known: Sequence[str] = ()
        self._asked: tuple[list[str], dict[int, tuple[str, ...]]] | None = None

    def start(self, labels: LabelsByRow) -> None:
        """Begin with the rows that are labeled now, and the first others of the random order."""
        self.close()
        order = self._order
        labeled = np.zeros(len(order), dtype=bool)
        labeled[list(labels)] = True
        first = order[labeled[order]][:MOST_LABELED]
        rest = order[~labeled[order]][: max(POOL - len(first), 0)]
        self.busy, self._asked = True, None
        self._features = self._probabilities = None
        rows = np.sort(np.concatenate([first, rest]))
        self._learner = Learner(self._items, rows, self._seed, self._time_budget, self._hear)

    def close(self) -> None:
        """End the process."""
        learner, self._learner = self._learner, None
        self.busy = False
        if learner is not None:
            learner.close()

    def request(
        self, labels: LabelsByRow, names: Sequence[str], sample: Sequence[int], *, at_once: bool = False
    ) -> None:
        """Ask for a refit if the process is free, and enough labels have changed or, ``at_once``, any."""
        if self.busy or self._learner is None or self.trouble:
            return
        place = self._learner.place
        known = {row: label for row, label in labels.items() if row in place}
        if len(known) < SEEN * min(len(labels), MOST_LABELED):
            self.start(labels)
            return
        if self._asked is not None:
            changed = len(set(known.items()) ^ set(self._asked[1].items()))
            if not changed or changed < (0 if at_once else REFIT_AFTER * len(known)):
                return
        number = {name: i for i, name in enumerate(names)}
        given = [(place[row], [number[name] for name in label]) for row, label in known.items()]
        self.busy, self._asked = True, (list(names), known)
        self._learner.ask(given, names, [place[row] for row in sample if row in known])

    def probabilities(self, row: int, names: Sequence[str]) -> dict[str, float] | None:
        """By class, 0 for those that the model has not seen; None where it says nothing of the row."""
        if self._probabilities is None or self._learner is None or row not in self._learner.place:
            return None
        values = self._probabilities[self._learner.place[row]].tolist()
        found = dict(zip(self._known, (round(value, 4) for value in values), strict=True))
        return {name: found.get(name, 0.0) for name in names}

    def all_probabilities(self) -> tuple[NDArray[np.intp], Sequence[str], NDArray[np.float32]] | None:
        """Rows, classes, and their probabilities (n, K); None while there is no model."""
        if self._probabilities is None or self._learner is None:
            return None
        return self._learner.rows, self._known, self._probabilities

    def nearest(self, row: int, labels: LabelsByRow) -> list[int]:
        """The rows with one class that are most like a row."""
        if self._features is None or self._learner is None or row not in self._learner.place:
            return []
        place = self._learner.place
        rows = [one for one, label in labels.items() if len(label) == 1 and one in place and one != row]
        apart = self._features[[place[one] for one in rows]] - self._features[place[row]]
        return [rows[i] for i in np.argsort((apart**2).sum(axis=1), kind="stable")[:NEIGHBORS]]

    def _hear(self, learner: Learner, message: Message) -> None:
        """Take in what the process reports."""
        with self._changed:
            if learner is not self._learner:
                return
            self.busy = False
            if message.event == "failed":
                if message.report["final"]:
                    self.trouble = f"The model is not refitted any more: {message.report['error']}"
            elif message.event == "ready":
                self._features = message.array
            elif self._asked is not None:
                self._probabilities, self._known = message.array, self._asked[0]
                rows = learner.rows.tolist()
                report = dict(message.report)
                report["queue"] = [(rows[place], reason) for place, reason in report["queue"]]
                report["checks"] = [rows[place] for place in report.get("checks", ())]
                report["predicted"] = {rows[place]: one for place, one in report.get("predicted", ())}
                self._learned(report, message.array is not None)
            self._free()
