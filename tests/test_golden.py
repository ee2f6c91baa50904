"""Model files of every released version load and predict what they did (``tests/golden/VERSION``)."""

from __future__ import annotations

import importlib.util
import warnings
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

import semigen
from semigen.comparison import CLASS_SHARES
from semigen.ensemble.defaults import GRAPH, LOGISTIC, MIXTURE_PER_CLASS, MIXTURES, SPREADING
from semigen.ensemble.settle import ALL_MODELS, SUPERVISED_MODELS

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.InconsistentVersionWarning")

GOLDEN = Path(__file__).parent / "golden"
VERSIONS = sorted(folder.name for folder in GOLDEN.iterdir() if (folder / "answers.npz").is_file())
FILES = [path for version in VERSIONS for path in sorted((GOLDEN / version).glob("*.semigen"))]

spec = importlib.util.spec_from_file_location("golden_write", GOLDEN / "write.py")
write = importlib.util.module_from_spec(spec)
spec.loader.exec_module(write)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_file_of_an_older_version_predicts_what_it_did(path, tmp_path):
    with np.load(path.parent / "answers.npz") as answers:
        rows, answer = (answers[f"{path.stem}.{part}"] for part in ("rows", "answer"))
        rows = csr_matrix(rows) if answers[f"{path.stem}.sparse"] else rows
    model = semigen.load(path)
    assert type(model).__name__ in repr(model)  # which reads every parameter
    np.testing.assert_allclose(write.answer(model, rows), answer, rtol=1e-9, atol=1e-12)
    semigen.save(model, tmp_path / "again.semigen")  # and it can be saved in today's format
    again = semigen.load(tmp_path / "again.semigen")
    np.testing.assert_array_equal(write.answer(again, rows), write.answer(model, rows))


@pytest.fixture(scope="module")
def fitted():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return write.models()


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_file_of_an_older_version_has_what_a_model_of_today_has(path, fitted):
    there, wanted = {}, {}
    collect(semigen.load(path), there)
    collect(fitted[path.stem][0], wanted)
    # What version 0.1 did not store at all (the folds of a SafeClassifier) cannot be there.
    both = wanted.keys() & there.keys()
    assert type(fitted[path.stem][0]).__qualname__ in both
    assert {kind: sorted(wanted[kind] - there[kind]) for kind in both} == {kind: [] for kind in both}


def test_an_old_ensemble_has_todays_names_forms_verdict_and_zero_line():
    old = semigen.load(GOLDEN / "0.1.0" / "auto.semigen")
    wanted = {MIXTURES, GRAPH, SPREADING, MIXTURE_PER_CLASS, LOGISTIC, "extra trees"}
    pool = old.pool_
    names = {one[0] for one in pool.estimators}
    for found in (
        names,
        pool.estimators_,
        pool.weights,
        pool.forms_,
        old.weights_,
        {m.name for m in old.models_},
    ):
        assert set(found) == wanted
    assert pool.forms_[SPREADING] == "neighbors"
    assert {name: form for name, form, _ in pool.estimators} == pool.forms_
    assert old.validation_.names == (ALL_MODELS, SUPERVISED_MODELS, *pool.estimators_)
    assert old.verdict_.change == old.validation_.difference(ALL_MODELS, SUPERVISED_MODELS)
    for comparison in (old.validation_, pool.validation_):
        assert comparison.to_dict()["scores"][CLASS_SHARES]["log_loss"]["value"] > 0.5


def collect(value, found):
    """Attributes of every object of semigen in a model, by class."""
    if isinstance(value, dict):
        parts = list(value.values())
    elif isinstance(value, list | tuple):
        parts = list(value)
    elif type(value).__module__.startswith(("semigen", "sklearn.pipeline")):
        state = {name: part for name, part in vars(value).items() if name not in cached(type(value))}
        found.setdefault(type(value).__qualname__, set()).update(state)
        parts = list(state.values())
    else:
        return
    for part in parts:
        collect(part, found)


def cached(kind):
    """Names of properties that are computed when they are first asked for."""
    return {
        name for base in kind.__mro__ for name, one in vars(base).items() if isinstance(one, cached_property)
    }
