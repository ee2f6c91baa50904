"""A labeling session: what to ask, what was answered, and what the model makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from semigen.common.checks import integer, real
from semigen.exceptions import ParameterError
from semigen.io.reading import Reading
from semigen.labeling import progress
from semigen.labeling.answers import CHECK, EXPLORE, RANDOM, UNCERTAIN
from semigen.labeling.cells import word_weights
from semigen.labeling.items import Items, read_items
from semigen.labeling.journal import ENDING, FIT, Journal
from semigen.labeling.loop import Loop
from semigen.labeling.saved import SavedSession, name_of
from semigen.labeling.schedule import Schedule

WHY = {
    RANDOM: "Drawn at random, so that the accuracy is estimated without the bias of asking.",
    CHECK: "A label to check: the model, or somebody else, says otherwise.",
    EXPLORE: "Few labels are near it: it stands for many rows that are alike.",
    UNCERTAIN: "The model is unsure of its class, and of many rows like it.",
}


class Session(SavedSession):
    """Label the rows of a table, or the images of a folder, and watch a model learn.

    Every answer is in a journal on the disk before :meth:`answer` returns; the table is never written. A
    model is refitted in a process of its own, and no method waits for it. Several people, named by whoever
    asks, may label at the same time; the label of a row is the class with most votes, or the set of classes
    that tie. Opened again with the same journal, a session goes on where it was.

    Make one with :meth:`open`; all methods may be called from any thread.

    Attributes
    ----------
    notes : tuple of str
        What was noticed when it was opened: rows that are gone or new, lines of the journal that a crash cut
        off.
    journal : Path
        The file.
    """

    def __init__(
        self,
        items: Items,
        journal: Journal,
        *,
        target: str,
        classes: Sequence[str],
        blind: bool,
        time_budget: float,
        random_share: float,
        seed: int,
    ) -> None:
        super().__init__(items, journal, target, classes)
        self.blind = blind
        order = np.random.default_rng(seed).permutation(len(items))
        self._schedule = Schedule(items.keys, set(items.given), order, random_share)
        self._loop = Loop(items, order, seed, time_budget, self._changed, self._learned, self._heard)
        self._words: tuple[int, Mapping[str, tuple[str, float]]] = (-1, {})

    @classmethod
    def open(
        cls,
        source: Any,
        *,
        target: str,
        id: str | None = None,  # noqa: A002 - the word of the command line
        classes: Sequence[str] | None = None,
        text: str | None = None,
        journal: str | Path | None = None,
        blind: bool = False,
        time_budget: float = 10.0,
        random_share: float = 0.15,
        seed: int = 0,
        kinds: Mapping[str, Any] | None = None,
        drop: Sequence[str] = (),
        reading: Reading | None = None,
        unlabeled: Sequence[str] = (),
        learn: bool = True,
    ) -> Self:
        """Open a session, or go on with one.

        Parameters
        ----------
        source : data frame, or path of a table or of a folder of images
        target : str
            What is labeled; labels that the table has in a column of that name count.
        id : str, optional
            Column that identifies the rows. None: they are known by their content.
        classes : sequence of str, optional
            Classes to begin with, in the order of the keys; more may be added.
        text : str, optional
            Column whose cells are texts to read.
        journal : path, optional
            None: beside the table, with the ending ``.journal``; for a data frame in the current folder,
            named after the target.
        blind : bool, default=False
            Whether probabilities and the answers of others are kept from those who label.
        time_budget : float, default=10
            Seconds of a refit, roughly.
        random_share : float, default=0.15
            Share of items that are drawn at random, for the honest estimate.
        seed : int, default=0
            Of the random order and of fits.
        kinds : mapping, optional
            How columns are read, where the inferred kind is wrong; see :func:`semigen.columns.learn`.
        drop : sequence of str, optional
            Columns that are neither shown nor learned from, or patterns of their names such as ``q*``.
        reading : Reading, optional
            What a text table does not say about itself.
        unlabeled : sequence of str, optional
            Cells of the target that mean "no label", such as ``?``, besides empty ones.
        learn : bool, default=True
            Whether a model is fitted; without, rows come at random.

        Returns
        -------
        Session

        Raises
        ------
        SemigenError
            If table, journal or parameters cannot be used.
        """
        target = name_of("target", target)
        real("time_budget", time_budget, minimum=0)
        real("random_share", random_share, minimum=0, maximum=1)
        integer("seed", seed, minimum=0)
        for option, given in (("classes", classes), ("unlabeled", unlabeled)):
            if isinstance(given, str):
                raise ParameterError(f"{option}={given!r}: give a list of names.")
        items = read_items(
            source, target, id=id, text=text, kinds=kinds, drop=drop, reading=reading, unlabeled=unlabeled
        )
        place = Path(journal) if journal is not None else items.home.with_name(items.home.name + ENDING)
        file = Journal.open(place, {"target": target, "id": id, "seed": seed})
        try:
            if file.found.events and file.found.events[0].get("target") != target:
                seen = file.found.events[0].get("target")
                raise ParameterError(
                    f"the journal {place} is of the target {seen!r}, not {target!r}: name another one "
                    "(--journal)."
                )
            start = file.found.events[0] if file.found.events else {}
            session = cls(
                items,
                file,
                target=target,
                classes=list(classes or ()),
                blind=bool(blind),
                time_budget=time_budget,
                random_share=random_share,
                seed=int(start.get("seed", seed)),
            )
        except BaseException:
            file.close()
            raise
        if learn:
            with session._changed:
                session._loop.start(session._labels())
        return session

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def item(self, person: str) -> dict[str, Any] | None:
        """The next item for a person, the same until it is answered; None if nothing is left.

        ``key`` (str), ``row`` (from 0), ``reason`` ("explore", "uncertain", "check" or "random"), ``why``,
        ``content`` (see :mod:`semigen.labeling.items`; percentiles are from 0 to 100), ``probabilities`` by
        class (None while there is no model, or blind), ``neighbors`` (the nearest labeled rows) and
        ``others`` (what other people answered; only of items to check, and not if blind).
        """
        person = name_of("person", person)
        with self._changed:
            row_of = self._items.row_of
            if person not in self._current:
                pending = {one: self._items.keys[row] for one, (row, _) in self._current.items()}
                found = self._schedule.next(person, self._answers, row_of, pending)
                if found is None:
                    return None
                self._current[person] = found
            row, reason = self._current[person]
            key = self._items.keys[row]
            others = []
            if reason == CHECK and not self.blind:
                latest = self._answers.latest(key).items()
                others = [{"person": one, "classes": list(a.classes)} for one, a in latest if a.classes]
            return {
                "key": key,
                "row": row,
                "reason": reason,
                "why": WHY[reason],
                "content": self._items.content(row, self._word_weights()),
                "probabilities": None if self.blind else self._probabilities(row),
                "neighbors": self._neighbors(row),
                "others": others,
            }

    def state(self, person: str) -> dict[str, Any]:
        """Everything beside the item: classes, estimates, people; see :mod:`semigen.labeling.progress`."""
        person = name_of("person", person)
        with self._changed:
            current = self._current.get(person)
            return {
                "target": self.target,
                "n_rows": len(self._items),
                "version": self._version,
                "fitting": self._loop.busy,
                "next": WHY[current[1]] if current else "",
                "blind": self.blind,
                "trouble": self._loop.trouble or None,
                "notes": list(self.notes),
                **progress.summary(self._answers, self._labels(), self._items),
            }

    def wait(self, version: int, timeout: float) -> int:
        """Wait until the state has another version, at most ``timeout`` seconds; return its version."""
        with self._changed:
            self._changed.wait_for(lambda: self._version != version, timeout)
            return self._version

    def settle(self, timeout: float = 60.0) -> bool:
        """Wait until the model knows every answer, at most ``timeout`` seconds; whether it does."""

        def settled() -> bool:
            self._request(at_once=True)
            return bool(self._loop.trouble) or not self._loop.busy

        with self._changed:
            return self._changed.wait_for(settled, timeout)

    def image(self, key: str) -> tuple[bytes, str]:
        """The bytes of an image, and their media type.

        Raises
        ------
        SemigenError
            If the row is not known, is no image, or its file is gone.
        """
        return self._items.image(self._row(key))

    def close(self) -> None:
        """End the learning process and give the journal back; everything is saved already."""
        with self._changed:
            self._loop.close()
            self._file.close()
            self._tell()

    def _probabilities(self, row: int) -> dict[str, float] | None:
        return self._loop.probabilities(row, list(self._answers.classes))

    def _request(self, *, at_once: bool = False) -> None:
        """Ask for a refit, if there is enough to learn."""
        self._loop.request(self._labels(), list(self._answers.classes), self._sample(), at_once=at_once)

    def _sample(self) -> list[int]:
        """The rows that were drawn at random, in order."""
        n_drawn = self._schedule.n_drawn(self._answers, self._items.row_of)
        return list(map(int, self._schedule.order[:n_drawn]))

    def _heard(self) -> None:
        """The process is free."""
        self._request()
        self._tell()

    def _learned(self, report: Mapping[str, Any], fitted: bool) -> None:
        """A refit is done: its queue and its estimates count."""
        self._schedule.queue = report["queue"]
        if not fitted:
            return
        self._schedule.suspicious = report["checks"]
        honest = progress.honest(self._sample(), report["predicted"], self._answers, self._items)
        kept = {name: report[name] for name in ("n", "seconds", "changed", "gain", "forecast", "verdict")}
        self._append({"event": FIT, **kept, "honest": honest})

    def _neighbors(self, row: int) -> list[dict[str, Any]]:
        labels = self._labels()
        return [
            {
                "row": one,
                "key": self._items.keys[one],
                "class": labels[one][0],
                "cells": self._items.brief(one),
            }
            for one in self._loop.nearest(row, labels)
        ]

    def _word_weights(self) -> Mapping[str, tuple[str, float]]:
        """The words that speak for a class, once for each number of answers; none if blind."""
        if self.blind or getattr(self._items, "text", None) is None:
            return {}
        if self._words[0] != self._answers.n_events:
            hard = ((row, label[0]) for row, label in self._labels().items() if len(label) == 1)
            documents = [(self._items.words(row), label) for row, label in hard]
            self._words = (self._answers.n_events, word_weights(documents, list(self._answers.classes)))
        return self._words[1]
