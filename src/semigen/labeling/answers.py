"""What people answered: the events of a journal, folded into the label of each row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from semigen.labeling.journal import ANSWER, CLASS, FIT, UNDO, Event

RANDOM, CHECK, EXPLORE, UNCERTAIN = "random", "check", "explore", "uncertain"
"""Why a row is asked for."""


@dataclass(frozen=True)
class Answer:
    """What one person said of one row.

    Attributes
    ----------
    number : int
        Of the event, from 1; an undo names it.
    person, key : str
    classes : tuple of str
        One class, or the candidates; none with ``unsure`` or ``skip``.
    unsure, skip : bool
    note : str
    reason : str or None
        Why the row was shown; None where the person came back to it.
    probabilities : dict or None
        Of the classes by the model at that time; None while there was none.
    time : str
    """

    number: int
    person: str
    key: str
    classes: tuple[str, ...]
    unsure: bool
    skip: bool
    note: str
    reason: str | None
    probabilities: Mapping[str, float] | None
    time: str


@dataclass
class Answers:
    """The fold of all events; ``apply`` is the only thing that changes it.

    Attributes
    ----------
    classes : dict
        Names in the order in which they came up.
    of_row : dict of key to dict of person to list of Answer
        The last one of a list counts.
    of_person : dict of person to list of Answer
    fits : list of dict
        What refits reported.
    n_events : int
    """

    classes: dict[str, None] = field(default_factory=dict)
    of_row: dict[str, dict[str, list[Answer]]] = field(default_factory=dict)
    of_person: dict[str, list[Answer]] = field(default_factory=dict)
    fits: list[Event] = field(default_factory=list)
    n_events: int = 0

    def apply(self, event: Event) -> None:
        """Take one event in."""
        self.n_events += 1
        kind = event["event"]
        if kind == ANSWER:
            answer = Answer(
                int(event["number"]),
                event["person"],
                event["key"],
                tuple(event["classes"]),
                bool(event["unsure"]),
                bool(event["skip"]),
                event.get("note", ""),
                event.get("reason"),
                event.get("probabilities"),
                event.get("time", ""),
            )
            self.of_row.setdefault(answer.key, {}).setdefault(answer.person, []).append(answer)
            self.of_person.setdefault(answer.person, []).append(answer)
        elif kind == UNDO:
            answer = self.of_person[event["person"]].pop()
            of_row = self.of_row[answer.key]
            of_row[answer.person].pop()
            if not of_row[answer.person]:
                del of_row[answer.person]
            if not of_row:
                del self.of_row[answer.key]
        elif kind == CLASS:
            self.classes[event["name"]] = None
        elif kind == FIT:
            self.fits.append(event)

    def latest(self, key: str) -> dict[str, Answer]:
        """The answer of each person to a row that counts."""
        return {person: answers[-1] for person, answers in self.of_row.get(key, {}).items()}

    def label(self, key: str) -> tuple[str, ...]:
        """The label of a row: a class, a candidate set, or () where there is none; see :func:`decided`."""
        return decided(answer.classes for answer in self.latest(key).values())

    def labels(self) -> dict[str, tuple[str, ...]]:
        """The rows that have a label, with it."""
        found = ((key, self.label(key)) for key in self.of_row)
        return {key: label for key, label in found if label}

    def all(self) -> list[Answer]:
        """Every answer that was not taken back, in order."""
        return sorted((one for some in self.of_person.values() for one in some), key=lambda one: one.number)

    @property
    def n_answers(self) -> int:
        """Answers that were not taken back."""
        return sum(map(len, self.of_person.values()))

    def agreement(self, person: str) -> float | None:
        """How often others who gave one class to a row gave it the class of this person; None: never met."""
        same = met = 0
        for key in {one.key for one in self.of_person.get(person, ())}:
            latest = self.latest(key)
            mine = latest[person].classes
            for other, answer in latest.items():
                if other != person and len(mine) == len(answer.classes) == 1:
                    met += 1
                    same += mine == answer.classes
        return same / met if met else None

    def disagreements(self) -> dict[str, dict[str, tuple[str, ...]]]:
        """Rows whose answers have no class in common, with these."""
        found = {}
        for key in self.of_row:
            given = {person: one.classes for person, one in self.latest(key).items() if one.classes}
            if len(given) > 1 and not set.intersection(*map(set, given.values())):
                found[key] = given
        return found


def decided(answers: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """The classes with most votes: each person has one, shared by the candidates.

    One class where a majority gave it; a candidate set where people disagree, or were undecided, which is
    what is known of the row then.
    """
    votes: Counter[str] = Counter()
    for classes in answers:
        for name in classes:
            votes[name] += 1 / len(classes)  # type: ignore[assignment]
    most = max(votes.values(), default=0)
    return tuple(name for name, vote in votes.items() if vote > most - 1e-9)


def plain_answer(answer: Answer) -> dict[str, Any]:
    """One line of the journal as a table."""
    return {
        "number": answer.number,
        "time": answer.time,
        "person": answer.person,
        "key": answer.key,
        "classes": "|".join(answer.classes),
        "unsure": answer.unsure,
        "skip": answer.skip,
        "note": answer.note,
        "reason": answer.reason,
    }
