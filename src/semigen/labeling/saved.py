"""What is saved of a session: answers in the journal, the labels that follow, and files made of them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from semigen.data.labels import Labels
from semigen.exceptions import LabelError, ParameterError
from semigen.labeling import formats
from semigen.labeling.answers import UNCERTAIN, Answers
from semigen.labeling.cells import native_series
from semigen.labeling.changes import compared, snapshot, spelled
from semigen.labeling.items import Items
from semigen.labeling.journal import ANSWER, CLASS, FIT, TABLE, UNDO, Event, Journal, read
from semigen.labeling.learning import as_labels

MOST_NAME, MOST_NOTE = 100, 2_000
"""Characters of a person's or a class's name, and of a note."""

Label = tuple[str, ...]


def labels_in(journal: Path, items: Items) -> dict[int, Label]:
    """What people said in a journal of rows, by row; it may be in use.

    Raises
    ------
    SemigenError
        If it is no journal, or knows none of the rows.
    """
    found = read(journal)
    answers = Answers()
    for event in found.events:
        answers.apply(event)
    compared(found, items, answers)
    return {items.row_of[key]: label for key, label in answers.labels().items() if key in items.row_of}


class SavedSession:
    """The part of :class:`semigen.labeling.Session` that needs no model."""

    def __init__(self, items: Items, journal: Journal, target: str, classes: Sequence[str]) -> None:
        self.target = target
        self.journal = journal.path
        self.blind = False
        self._items, self._file = items, journal
        self._current: dict[str, tuple[int, str]] = {}
        self._known: tuple[int, dict[int, Label]] = (-1, {})
        self._changed = threading.Condition(threading.RLock())
        self._version = 0
        self._answers = Answers()
        for event in journal.found.events:
            self._answers.apply(event)
        self._number = max((int(one.get("number", 0)) for one in journal.found.events), default=0)
        self.notes = compared(journal.found, items, self._answers)
        with self._changed:
            for name in dict.fromkeys(name_of("a class", one) for one in [*classes, *sorted(items.values)]):
                if name not in self._answers.classes:
                    self._append({"event": CLASS, "person": "", "name": name})
            self.notes += spelled(target, self._answers.classes)
            rows = snapshot(journal.found, items)
            if rows is not None:
                self._append({"event": TABLE, **rows})

    def __len__(self) -> int:
        return len(self._items)

    @property
    def n_labeled(self) -> int:
        """Rows that have a label or a candidate set."""
        with self._changed:
            return len(self._labels())

    def answer(
        self,
        person: str,
        key: str,
        *,
        classes: Sequence[str] = (),
        unsure: bool = False,
        skip: bool = False,
        note: str = "",
    ) -> dict[str, Any]:
        """Save what a person says of a row, and return the event once it is on the disk.

        Parameters
        ----------
        person, key : str
            Any row may be answered, and again: the last answer of a person counts.
        classes : sequence of str
            One class is a label, several are candidates of which one is right.
        unsure : bool
            The person cannot tell; others may be asked.
        skip : bool
            Later: the row comes back when nothing else is left.
        note : str

        Raises
        ------
        ParameterError
            If row or class are not known, or not exactly one of classes, unsure and skip is given.
        """
        person = name_of("person", person)
        given = [classes] if isinstance(classes, str) else list(dict.fromkeys(classes))
        if not isinstance(note, str) or len(note) > MOST_NOTE:
            raise ParameterError(f"a note is text of at most {MOST_NOTE:,} characters.")
        if bool(given) + bool(unsure) + bool(skip) != 1:
            raise ParameterError(
                "an answer is one or more classes, or unsure, or skip: give exactly one of these."
            )
        with self._changed:
            row = self._row(key)
            unknown = [name for name in given if name not in self._answers.classes]
            if unknown:
                raise ParameterError(f"there is no class {unknown[0]!r}: add it first.")
            current = self._current.get(person)
            asked = current is not None and current[0] == row
            self._number += 1
            event = self._append(
                {
                    "event": ANSWER,
                    "number": self._number,
                    "person": person,
                    "key": key,
                    "row": row,
                    "classes": given,
                    "unsure": bool(unsure),
                    "skip": bool(skip),
                    "note": note,
                    "reason": current[1] if asked and current is not None else None,
                    "probabilities": self._probabilities(row),
                    "blind": self.blind,
                }
            )
            if asked:
                del self._current[person]
            self._request()
            return event

    def undo(self, person: str) -> dict[str, Any] | None:
        """Take back the last answer of a person, whose row comes back; None if there is none."""
        person = name_of("person", person)
        with self._changed:
            answers = self._answers.of_person.get(person)
            if not answers:
                return None
            last = answers[-1]
            event = self._append({"event": UNDO, "person": person, "of": last.number, "key": last.key})
            row = self._items.row_of.get(last.key)
            if row is not None:
                self._current[person] = (row, last.reason or UNCERTAIN)
            self._request()
            return event

    def add_class(self, person: str, name: str) -> dict[str, Any]:
        """Add a class.

        Raises
        ------
        ParameterError
            If its name is empty, too long or taken.
        """
        person, name = name_of("person", person), name_of("a class", name)
        with self._changed:
            if name in self._answers.classes:
                raise ParameterError(f"there is a class {name!r} already.")
            return self._append({"event": CLASS, "person": person, "name": name})

    def labels(self) -> Any:
        """The label of each row as a series, None where there is none or a candidate set, (n,).

        Of the library of the data frame, of pandas for files. Classes that the table had keep their type.
        """
        with self._changed:
            labels = self._labels()
        cells: list[Any] = [None] * len(self._items)
        for row, label in labels.items():
            if len(label) == 1:
                cells[row] = self._items.values.get(label[0], label[0])
        return native_series(self.target, cells, self._items.library)

    def evidence_by_row(self) -> dict[int, Label]:
        """The class, or the candidate set, of each row that has one."""
        with self._changed:
            return dict(self._labels())

    def evidence(self) -> Labels:
        """Labels and candidate sets of all rows, as every estimator takes them for ``y``.

        Raises
        ------
        LabelError
            If not two classes have a label.
        """
        with self._changed:
            labels, names = self._labels(), list(self._answers.classes)
        number = {name: i for i, name in enumerate(names)}
        given = [(row, [number[name] for name in label]) for row, label in labels.items()]
        found, _ = as_labels(given, len(self._items), names)
        if found is None:
            raise LabelError("labels of two classes are needed, and there are fewer: label more rows.")
        return found

    def export(self, path: str | Path, *, form: str = "auto", overwrite: bool = False) -> tuple[Path, ...]:
        """Write the labels to a file; see :func:`semigen.labeling.formats.export`."""
        with self._changed:
            labels, answers = self._labels(), self._answers
            return formats.export(
                self._items, self.target, labels, answers, Path(path), form=form, overwrite=overwrite
            )

    def import_labels(self, path: str | Path, person: str) -> int:
        """Save the labels of a file as answers of a person; return how many.

        The file has Label Studio's JSON, or is a table with the rows' key, id or number and the target.
        """
        person = name_of("person", person)
        found = formats.read_labels(Path(path), self._items, self.target)
        with self._changed:
            for name in dict.fromkeys(name for _, classes, _ in found for name in classes):
                if name not in self._answers.classes:
                    self.add_class(person, name)
            for row, classes, note in found:
                self.answer(person, self._items.keys[row], classes=classes, note=note)
        return len(found)

    def _append(self, event: Event) -> Event:
        """Save an event, apply it and tell those who wait."""
        event = self._file.append(event, wait=event["event"] != FIT)
        self._answers.apply(event)
        self._tell()
        return event

    def _tell(self) -> None:
        self._version += 1
        self._changed.notify_all()

    def _probabilities(self, row: int) -> dict[str, float] | None:
        """What a model says of a row, by class."""
        return None

    def _request(self) -> None:
        """Ask for a refit."""

    def _row(self, key: str) -> int:
        row = self._items.row_of.get(key) if isinstance(key, str) else None
        if row is None:
            raise ParameterError(
                f"there is no row with the key {key!r}: the table has changed, or it is misspelled."
            )
        return row

    def _labels(self) -> dict[int, Label]:
        """Labels by row: those of the table, and over them what people said; not to be changed."""
        if self._known[0] != self._answers.n_events:
            given: dict[int, Label] = {row: (name,) for row, name in self._items.given.items()}
            row_of = self._items.row_of
            said = self._answers.labels().items()
            found = given | {row_of[key]: label for key, label in said if key in row_of}
            self._known = (self._answers.n_events, found)
        return self._known[1]


def name_of(what: str, value: Any) -> str:
    """A name without spaces around it.

    Raises
    ------
    ParameterError
        If it is no text, empty or too long.
    """
    text = value.strip() if isinstance(value, str) else ""
    if not text or len(text) > MOST_NAME or not text.isprintable():
        raise ParameterError(f"{what} {value!r:.120}: give printable text of 1 to {MOST_NAME} characters.")
    return text
