"""Laws of engines: results do not depend on how rows are cut into blocks, nor on who computes them."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from laws import CASES, N_COMPONENTS, Trial, assert_same_record, mixture_data
from semigen import MixtureClassifier
from semigen.em import (
    Engine,
    ThreadEngine,
    fit,
    mechanism,
    pessimistic,
    start,
)
from semigen.exceptions import ParameterError
from semigen.families import Diag, Full, Gaussian, Spherical, Tied
from semigen.testing import ENGINE_LAWS
from semigen.testing.engines import N_ROWS, STRUCTURES, learned


class Shipped(Engine):
    """Every function and block goes through bytes, as to another machine, the last block first."""

    def __init__(self, block_rows):
        self.block_rows = block_rows
        self.largest = 0

    def map_blocks(self, function, source, *states):
        tasks = [
            pickle.dumps((function, replace(block, x=block.x.copy()), items))
            for block, *items in zip(source.blocks(self.block_rows), *states, strict=True)
        ]
        self.largest = max(self.largest, len(pickle.dumps(function)))
        return [pickle.loads(pickle.dumps(run(task))) for task in reversed(tasks)][::-1]


def run(task):
    function, block, items = pickle.loads(task)
    return function(block, *items)


ENGINES = {
    "seven blocks": lambda: ThreadEngine(1, 30),
    "seven blocks, two threads": lambda: ThreadEngine(2, 30),
    "seven blocks, four threads": lambda: ThreadEngine(4, 30),
    "one block, four threads": lambda: ThreadEngine(4),
    "shipped as bytes": lambda: Shipped(30),
}


@pytest.mark.parametrize("law", ENGINE_LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("engine", ENGINES)
def test_the_laws_that_are_everybodys(law, engine):
    law(ENGINES[engine]())


@pytest.mark.parametrize("holes", [0.0, 0.25])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_engine_gives_the_same_fit(case, holes, rng):
    if holes and case.grid is None:
        pytest.skip("takes no missing values")
    trial = Trial(case, rng, n=N_ROWS, holes=holes)
    mixture, data, _ = mixture_data(trial, 0.3, rng)
    wanted = learned(trial.family, mixture, data, ThreadEngine(1))
    for make in ENGINES.values():
        assert_same_record(learned(trial.family, mixture, data, make()), wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_gives_the_same_label_mechanism(engine, rng):
    trial = Trial(CASES[0], rng, n=N_ROWS, holes=0.1)
    mixture, data, _ = mixture_data(trial, 0.3, rng)

    def both(engine):
        begin = learned(trial.family, mixture, data, engine)
        first = fit(mixture, begin[0], data, begin[1], engine, max_iter=3)
        return mechanism.fit(mixture, begin[0], data, first, engine, max_iter=3)

    for found, wanted in zip(both(ENGINES[engine]()), both(ThreadEngine(1)), strict=True):
        assert_same_record(found, wanted, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("shape", [Full(), Tied(), Diag(), Spherical()], ids=lambda shape: shape.name)
def test_every_engine_gives_the_same_pessimistic_fit(shape, engine, rng):
    trial = Trial(replace(CASES[0], family=Gaussian(shape)), rng, n=N_ROWS)
    mixture, data, _ = mixture_data(trial, 0.5, rng)
    data = replace(data, weight=np.where(np.arange(N_ROWS) % 5, data.weight, 0.0))
    results = []
    for one in (ThreadEngine(1), ENGINES[engine]()):
        alone = data.where(data.labels.pattern_labeled)
        prior = trial.family.fit_prior(alone, None, one)
        supervised = start(mixture, prior, alone, one, rng)
        results.append(pessimistic.fit(mixture, prior, data, supervised, one, max_iter=5))
    assert results[0].gain > 0
    assert_same_record(results[1], results[0], rtol=1e-8, atol=1e-10)


def test_no_function_holds_rows(rng):
    """What an engine is given to compute is as small for many rows as for few."""
    sizes = []
    for n in (N_ROWS, 6 * N_ROWS):
        trial = Trial(CASES[0], rng, n=n)
        mixture, data, _ = mixture_data(trial, 0.3, rng)
        engine = Shipped(30)
        for structure in STRUCTURES.values():
            learned(trial.family, replace(mixture, **structure), data, engine)
        sizes.append(engine.largest)
    assert sizes[1] < 1.1 * sizes[0]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_classifier_computes_with_its_engine(engine, rng):
    trial = Trial(CASES[0], rng, n=N_ROWS)
    y = np.where(rng.random(N_ROWS) < 0.3, trial.component, -1)
    y[:N_COMPONENTS] = np.arange(N_COMPONENTS)

    class Counting(Engine):
        def __init__(self, inner):
            self.inner, self.calls = inner, 0

        def map_blocks(self, function, source, *states):
            self.calls += 1
            return self.inner.map_blocks(function, source, *states)

    counting = Counting(ENGINES[engine]())
    found = MixtureClassifier(class_prior="unlabeled", engine=counting).fit(trial.x, y)
    wanted = MixtureClassifier(class_prior="unlabeled", engine=ThreadEngine(1)).fit(trial.x, y)
    every = ("predict", "predict_proba", "predict_log_proba", "score_samples", "log_joint")
    for name in (*every, "novel_probability"):
        before = counting.calls
        one, other = (getattr(model, name)(trial.x) for model in (found, wanted))
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-10)
        assert counting.calls == before + 1
    assert found.icl(trial.x, y) == pytest.approx(wanted.icl(trial.x, y), rel=1e-10)


def test_what_is_no_engine_is_refused():
    with pytest.raises(ParameterError, match=r"engine='spark' is no engine: use None.*'dask', 'torch'"):
        MixtureClassifier(engine="spark").fit([[0.0], [1.0]], ["a", "b"])
    with pytest.raises(ParameterError, match="n_threads=0: it must be None or an integer of at least 1"):
        ThreadEngine(n_threads=0)
    with pytest.raises(ParameterError, match="block_rows=0"):
        ThreadEngine(block_rows=0)


def test_blocks_hold_as_many_rows_that_count(rng):
    """Whatever lies between them."""
    data = mixture_data(Trial(CASES[0], rng, n=N_ROWS), 0.3, rng)[1]
    some = data.where(~data.labels.pattern_labeled)
    blocks = list(some.blocks(30))
    assert {len(block.rows) for block in blocks[:-1]} == {30}
    rows = np.concatenate([block.x[block.rows] for block in blocks])
    np.testing.assert_array_equal(rows, data.x[~data.labels.is_labeled])
