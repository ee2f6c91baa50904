"""A process that is killed while it saves answers: ``python labeling_kills.py FOLDER``.

For each line on standard input a fork opens the session of ``FOLDER`` and answers until it is killed; it
writes the number of each answer to standard output once ``answer`` has returned, and first its own number.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pyarrow as pa

from semigen.labeling import Session

TABLE = pa.table({"x": [float(j) for j in range(40)], "kind": ["a", "b"] + [None] * 38})


def say(word: str, number: int) -> None:
    os.write(1, f"{word} {number}\n".encode())


def answer_for_ever(folder: Path) -> None:
    journal = folder / "a.journal"
    with Session.open(TABLE, target="kind", journal=journal, learn=False) as session:
        keys = session._items.keys
        n = 0
        while True:
            event = session.answer("me", keys[n % 40], classes=["ab"[n % 2]], note="n" * (n % 7) * 300)
            say("saved", event["number"])
            n += 1


def main(folder: Path) -> None:
    for _ in sys.stdin:
        child = os.fork()
        if not child:
            try:
                answer_for_ever(folder)
            finally:
                os._exit(1)
        say("pid", child)
        _, status = os.waitpid(child, 0)
        say("ended", status)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
