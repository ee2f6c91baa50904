"""What a session has reached: labels per class, the honest estimate, when to stop, and who agrees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from semigen.evaluation import intervals
from semigen.labeling.answers import Answer, Answers
from semigen.labeling.items import Items

LEAST_HONEST = 3
"""Random rows from which on the accuracy is told."""
STOP_AFTER, STOP_CHANGED, STOP_GAIN, STOP_FITS, STOP_LABELS = 30, 0.01, 0.01, 3, 10
"""You can stop with 30 labels or more, if in each of the last three refits, over 10 labels or more, at most
1 % of the predictions changed, and 20 more labels are expected to bring less than one point."""

Label = tuple[str, ...]


def honest(
    sample: Sequence[int], predicted: Mapping[int, str], answers: Answers, items: Items
) -> dict[str, Any] | None:
    """Accuracy on the random sample, with Wilson's 95 % interval.

    A row counts if its first answer was one class: later ones, such as those to a check, are asked for where
    the model disagrees and would flatter it. Its prediction is that of the current ensemble fitted without
    it; where there is none, the one that was made before its label was known. So it is estimated how often
    the model says what a person would say of a row drawn at random.

    Parameters
    ----------
    sample : sequence of int
        Rows in the order in which they were drawn.
    predicted : mapping of row to class
        By models without the label of the row.
    answers : Answers
    items : Items
    """
    right = []
    for row in sample:
        said = answers.of_row.get(items.keys[row], {}).values()
        first = min((one for some in said for one in some if one.classes), key=_number, default=None)
        classes = (items.given[row],) if first is None and row in items.given else first and first.classes
        if not classes or len(classes) != 1:
            continue
        if row in predicted:
            right.append(predicted[row] == classes[0])
        elif first is not None and first.probabilities:
            before = first.probabilities
            right.append(max(before, key=before.__getitem__) == classes[0])
    if len(right) < LEAST_HONEST:
        return None
    estimate = intervals.of_share(np.array(right, dtype=np.float64), np.ones(len(right)))
    return {"accuracy": estimate.value, "low": estimate.low, "high": estimate.high, "n": len(right)}


def _number(answer: Answer) -> int:
    return answer.number


def stop(fits: Sequence[Mapping[str, Any]], n_labeled: int, n_rows: int) -> str | None:
    """Why one can stop, None if more labels are expected to help."""
    if n_labeled >= n_rows:
        return "You can stop: every row has a label."
    last = fits[-STOP_FITS:]
    if len(last) < STOP_FITS or n_labeled < STOP_AFTER:
        return None
    begin = fits[-STOP_FITS - 1]["n"] if len(fits) > STOP_FITS else 0
    gain = last[-1]["gain"]
    settled = all(one["changed"] is not None and one["changed"] <= STOP_CHANGED for one in last)
    if not settled or last[-1]["n"] - begin < STOP_LABELS or (gain is not None and gain[0] >= STOP_GAIN):
        return None
    expected = "" if gain is None else f", and 20 more labels would bring {100 * max(gain[0], 0):.1f} points"
    return (
        f"You can stop: in the last {STOP_FITS} refits ({last[-1]['n'] - begin} labels) at most "
        f"{STOP_CHANGED:.0%} of the predictions changed{expected}."
    )


def summary(answers: Answers, labels: Mapping[int, Label], items: Items) -> dict[str, Any]:
    """The parts of :meth:`semigen.labeling.Session.state` that follow from the answers.

    ``classes`` (name, n: rows with this class alone, key: "1" to "9", or None), ``n_labeled``, ``fit`` (n,
    seconds), ``curve`` (n, accuracy, low, high after each refit), ``honest`` (with n random rows),
    ``forecast``, ``verdict``, ``stop``, ``people`` (name, n, agreement) and ``disagreements`` (row, key,
    answers).
    """
    count = Counter(label[0] for label in labels.values() if len(label) == 1)
    fits = answers.fits
    last = fits[-1] if fits else None
    row_of = items.row_of
    return {
        "classes": [
            {"name": name, "n": count[name], "key": str(i) if i <= 9 else None}
            for i, name in enumerate(answers.classes, start=1)
        ],
        "n_labeled": len(labels),
        "fit": None if last is None else {"n": last["n"], "seconds": round(last["seconds"], 2)},
        "curve": [
            {"n": one["n"], **{name: one["honest"][name] for name in ("accuracy", "low", "high")}}
            for one in fits
            if one["honest"]
        ],
        "honest": None if last is None else last["honest"],
        "forecast": None if last is None else last["forecast"],
        "verdict": None if last is None else last["verdict"],
        "stop": stop(fits, len(labels), len(items)),
        "people": [
            {"name": person, "n": len(some), "agreement": answers.agreement(person)}
            for person, some in answers.of_person.items()
            if some
        ],
        "disagreements": [
            {
                "row": row_of[key],
                "key": key,
                "answers": {one: list(classes) for one, classes in given.items()},
            }
            for key, given in answers.disagreements().items()
            if key in row_of
        ],
    }
