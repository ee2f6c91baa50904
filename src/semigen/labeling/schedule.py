"""Which row comes next, for whom and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from semigen.labeling.answers import CHECK, RANDOM, Answers

CHECK_SHARE = 0.1
"""At most this share of a person's answers are checks."""

Item = tuple[int, str]
"""A row and why it is asked for."""


@dataclass
class Schedule:
    """Random rows for an honest estimate, labels to check, and what the last refit asks for.

    Attributes
    ----------
    keys : list of str
    given : set of int
        Rows whose label the table has.
    order : ndarray of intp
        All rows in random order. The random sample is always the beginning of it: rows that were asked for
        otherwise are in the sample, too, when their turn has come.
    share : float
        Of all answers, those to random rows.
    queue : list of (row, reason)
    suspicious : list of int
    """

    keys: list[str]
    given: set[int]
    order: NDArray[np.intp]
    share: float
    queue: list[Item] = field(default_factory=list)
    suspicious: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._turn = np.empty(len(self.order), dtype=np.intp)
        self._turn[self.order] = np.arange(len(self.order))

    def n_drawn(self, answers: Answers, row_of: Mapping[str, int]) -> int:
        """How many rows of ``order`` are the random sample."""
        turns = (
            int(self._turn[row_of[one.key]])
            for some in answers.of_person.values()
            for one in some
            if one.reason == RANDOM and one.key in row_of
        )
        return max(turns, default=-1) + 1

    def next(
        self, person: str, answers: Answers, row_of: Mapping[str, int], pending: Mapping[str, str]
    ) -> Item | None:
        """The next row for a person, None if nothing is left.

        Parameters
        ----------
        person : str
        answers : Answers
        row_of : mapping of key to row
        pending : mapping of person to key
            What is before others now.
        """
        elsewhere = {row_of[key] for other, key in pending.items() if other != person}
        mine = answers.of_person.get(person, [])
        n_random = sum(one.reason == RANDOM for some in answers.of_person.values() for one in some)
        drawn = self.n_drawn(answers, row_of)

        def free(row: int) -> bool:
            """Whether nobody labeled it, and this person did not answer yet."""
            key = self.keys[row]
            of_row = answers.of_row.get(key, {})
            return row not in self.given and person not in of_row and not answers.label(key)

        def random(rows: Iterator[int]) -> Item | None:
            return next(((row, RANDOM) for row in rows if free(row) and row not in elsewhere), None)

        if n_random < self.share * (answers.n_answers + 1):
            found = random(iter(self.order[drawn:].tolist()))
            if found:
                return found
        if sum(one.reason == CHECK for one in mine) < CHECK_SHARE * len(mine):
            for row in self._to_check(person, answers, row_of):
                if row not in elsewhere:
                    return row, CHECK
        for row, reason in self.queue:
            if free(row) and row not in elsewhere:
                return row, reason
        found = random(iter(self.order[drawn:].tolist())) or random(iter(self.order[:drawn].tolist()))
        if found:
            return found
        return self._leftover(person, answers, row_of)

    def _to_check(self, person: str, answers: Answers, row_of: Mapping[str, int]) -> Iterator[int]:
        """Disagreements, suspicious labels, and where several people label, some of what others labeled."""
        for key, given in answers.disagreements().items():
            if person not in given and key in row_of:
                yield row_of[key]
        checked = {one.key for some in answers.of_person.values() for one in some if one.reason == CHECK}
        for row in self.suspicious:
            if self.keys[row] not in checked and answers.label(self.keys[row]):
                yield row
        for key, of_row in answers.of_row.items():
            if person not in of_row and key in row_of and key not in checked and answers.label(key):
                yield row_of[key]

    def _leftover(self, person: str, answers: Answers, row_of: Mapping[str, int]) -> Item | None:
        """What was skipped, or is before somebody else."""
        for one in answers.of_person.get(person, ()):
            current = answers.latest(one.key).get(person)
            if current is not None and current.skip and one.key in row_of and not answers.label(one.key):
                return row_of[one.key], one.reason or RANDOM
        for row in self.order.tolist():
            key = self.keys[row]
            if row not in self.given and not answers.of_row.get(key):
                return row, RANDOM
        return None
