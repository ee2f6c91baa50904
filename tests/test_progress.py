"""What a person who waits is told."""

import io
import itertools
import time

import pytest

from semigen.common.progress import Steps
from semigen.datasets import make_gaussian_classes
from semigen.mixture import MixtureClassifier


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


@pytest.mark.parametrize("verbose", [None, 0])
def test_a_mixture_that_takes_long_says_how_far_it_is(monkeypatch, verbose):
    """Each look at the clock takes a second."""
    data = make_gaussian_classes(12, 60, random_state=0)
    error, now = Terminal(), itertools.count(100.0)
    monkeypatch.setattr("sys.stderr", error)
    monkeypatch.setattr(time, "perf_counter", lambda: next(now))
    MixtureClassifier(verbose=verbose).fit(data.X, data.y)
    lines = [line.rstrip() for line in error.getvalue().split("\r")]
    assert bool(any(lines)) == (verbose is None)
    if verbose is None:
        assert any(line.startswith("0/6  fit, iteration ") for line in lines)
        assert any(line.startswith("3/6  labels left out, fold 1 of ") for line in lines)
        assert lines[-1] == lines[-2] == ""


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
