"""What a person who waits is told."""

import io
import time

import pytest

from semigen.common.progress import Steps


class Terminal(io.StringIO):
    """Takes what is shown, and says that it is a terminal."""

    def isatty(self):
        return True


def shown(monkeypatch, verbose, *, at=3.0, progress=None, terminal=True):
    """What stderr has after two of three steps, and after all."""
    error = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr("sys.stderr", error)
    now = 100.0
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    steps = Steps(verbose, progress)
    now += at
    steps(1, 3, "a long name of a step" * 9)
    steps(2, 3, "second")
    before = error.getvalue()
    steps(3, 3, "last")
    return before, error.getvalue()


def test_a_terminal_shows_the_last_step_in_one_line_that_goes(monkeypatch):
    before, after = shown(monkeypatch, None)
    assert before.split("\r")[-1].rstrip() == "2/3  second"
    lines = after.split("\r")
    assert "\n" not in "".join(lines[:-1])
    assert lines[-2].isspace()
    assert len({len(line) for line in lines[1:-1]}) == 1  # each covers the one before


@pytest.mark.parametrize(
    ("verbose", "given"),
    [
        (0, {}),
        (1, {}),
        (None, {"at": 1.0}),
        (None, {"terminal": False}),
        (None, {"progress": lambda *step: None}),
    ],
    ids=["silent", "printed", "soon done", "no terminal", "own progress"],
)
def test_nothing_is_shown_otherwise(monkeypatch, capsys, verbose, given):
    assert shown(monkeypatch, verbose, **given) == ("", "")
    assert bool(capsys.readouterr().out) == (verbose == 1)
