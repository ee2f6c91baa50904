"""A session with canned rows for tests of the page: no model, no journal, the same methods."""

import threading

from semigen.exceptions import ParameterError

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360f8cf50000003810180a0d7b5c30000000049454e44ae426082"
)


def table_item(row, names=("bill_length", "bill_depth", "island"), **more):
    values = [f"{38 + row % 12}.{row % 10}", f"{13 + row % 7}.5", ["Dream", "Biscoe"][row % 2]]
    marks = [float(row * 37 % 100), 99.0 if row % 4 == 0 else 40.0, None]
    cells = [
        {"name": name, "value": value, "percentile": mark, "rare": mark is None and row % 5 == 0}
        for name, value, mark in zip(names, values, marks, strict=True)
    ]
    return {"kind": "table", "cells": cells, **more}


def check_name(name):
    if not name.strip() or not name.isprintable():
        raise ParameterError(f"person or name {name!r}: give printable text.")
    return name.strip()


class FakeSession:
    """Asks for its rows in order; every person gets every row."""

    def __init__(self, contents=None, classes=("Adelie", "Chinstrap", "Gentoo"), blind=False, **facts):
        self.contents = contents or [table_item(row) for row in range(60)]
        self.classes, self.blind, self.facts = list(classes), blind, facts
        self.answers = {}  # (person, key): what was answered
        self.order = []
        self.version = 0
        self.changed = threading.Condition()
        self.closed = False

    def _bump(self):
        with self.changed:
            self.version += 1
            self.changed.notify_all()

    def item(self, person):
        check_name(person)
        for row, content in enumerate(self.contents):  # noqa: B007
            if (person, f"k{row}") not in self.answers:
                break
        else:
            return None
        given = {who: one["classes"] for (who, key), one in self.answers.items() if key == f"k{row}"}
        share = [0.7 - 0.01 * row % 0.4, 0.2, 0.1]
        return {
            "key": f"k{row}",
            "row": row,
            "reason": ["explore", "uncertain", "check", "random"][row % 4],
            "why": "Its class is open: two are nearly as probable.",
            "content": content,
            "probabilities": None if self.blind else dict(zip(self.classes, share, strict=False)),
            "neighbors": [
                {
                    "row": 70 + k,
                    "class": self.classes[k % len(self.classes)],
                    "cells": [{"name": "bill_length", "value": "39.1"}],
                }
                for k in range(3)
            ]
            if self.classes
            else [],
            "others": [{"person": who, "classes": names} for who, names in given.items()],
        }

    def answer(self, person, key, *, classes=(), unsure=False, skip=False, note=""):
        check_name(person)
        if not key.startswith("k") or not key[1:].isdecimal() or int(key[1:]) >= len(self.contents):
            raise ParameterError(f"key={key!r} is no row of this table.")
        unknown = [one for one in classes if one not in self.classes]
        if unknown or not (classes or unsure or skip):
            raise ParameterError(f"classes={list(classes)!r}: known are {self.classes}.")
        given = {"classes": list(classes), "unsure": unsure, "skip": skip, "note": note}
        self.answers[person, key] = given
        self.order.append((person, key))
        self._bump()
        return {"key": key, **given}

    def undo(self, person):
        check_name(person)
        mine = [one for one in self.order if one[0] == person]
        if not mine:
            return None
        self.order.remove(mine[-1])
        undone = self.answers.pop(mine[-1], None)
        self._bump()
        return undone

    def add_class(self, person, name):
        name = check_name(name)
        if name in self.classes:
            raise ParameterError(f"{name!r} is a class already.")
        self.classes.append(name)
        self._bump()
        return {"name": name}

    def state(self, person):
        check_name(person)
        given = list(self.answers.values())
        people = {}
        for who, _ in self.answers:
            people[who] = people.get(who, 0) + 1
        return {
            "target": "species",
            "classes": [
                {
                    "name": name,
                    "n": sum(one["classes"] == [name] for one in given),
                    "key": str(k + 1) if k < 9 else None,
                }
                for k, name in enumerate(self.classes)
            ],
            "n_rows": len(self.contents),
            "n_labeled": len({key for _, key in self.answers}),
            "version": self.version,
            "fitting": False,
            "fit": None,
            "curve": [],
            "honest": None,
            "forecast": None,
            "verdict": None,
            "stop": None,
            "next": "Rows that cover the clusters of the table.",
            "people": [{"name": who, "n": n, "agreement": None} for who, n in people.items()],
            "disagreements": [],
            "blind": self.blind,
            **self.facts,
        }

    def wait(self, version, timeout):
        with self.changed:
            self.changed.wait_for(lambda: self.version != version, timeout)
            return self.version

    def image(self, key):
        if not key.startswith("k"):
            raise ParameterError(f"key={key!r} is no image.")
        return PNG, "image/png"

    def close(self):
        self.closed = True
