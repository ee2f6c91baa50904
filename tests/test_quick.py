"""The quick way through an E-step: sums of the careful one, memory used again, threads that take turns."""

import copy
import pickle
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from semigen.arrays.scratch import Scratch, keeping, kept
from semigen.data.labels import encode
from semigen.em import Data, Mixture, ThreadEngine, e_step, start
from semigen.em.engines import _Threads
from semigen.em.kernel import _expected
from semigen.families import Gaussian, StudentT
from semigen.families.covariance import COVARIANCES
from semigen.testing.trials import assert_same_record

OWN_WAY = ("full", "diag", "spherical")


def problem(rng, family, dtype=np.float64, holes=0.0, scale=1.0):
    """Two classes, the second of two components, with labels in the first rows and weights."""
    x = rng.normal(size=(300, 3))
    x[::2] += 2
    x = (scale * x).astype(dtype)
    missing = rng.random(x.shape) < holes
    x[missing] = np.nan
    y = np.full(300, -1)
    y[:40] = np.arange(40) % 2
    data = Data(x, encode(y), rng.uniform(0.5, 2.0, size=300), np.ones(3, bool) if holes else None)
    mixture = Mixture(family, np.array([0, 1, 1]), 2)
    prior = family.fit_prior(data, 2.0, ThreadEngine(1))
    return mixture, start(mixture, prior, data, ThreadEngine(1), rng), data


@pytest.mark.parametrize("holes", [0.0, 0.2])
@pytest.mark.parametrize("covariance", COVARIANCES)
def test_the_quick_way_gives_the_careful_ones_sums(covariance, holes, rng):
    mixture, params, data = problem(rng, Gaussian(covariance), holes=holes)
    for rows in (slice(0, 300), slice(40, 300), slice(0, 40)):
        block = replace(data.at(np.arange(300)[rows]), missing=data.missing)
        careful, quick = (_expected(mixture, params, block, np.float64, quick=way) for way in (False, True))
        assert_same_record(quick, careful, rtol=1e-12, atol=1e-11)
        labeled = block.labels.is_labeled
        parts = [block.weight[~labeled].sum(), block.weight[labeled].sum()]
        np.testing.assert_allclose(quick.weight.sum(axis=1), parts, rtol=1e-12)


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_sums_can_be_asked_for_twice(covariance, rng):
    mixture, params, data = problem(rng, Gaussian(covariance))
    walk = mixture.family.walk(params.family, np.float64)
    walk.log_prob(data.x)
    walk.add(rng.random((3, 300)))
    before = copy.deepcopy(walk.stats())
    assert_same_record(walk.stats(), before)


class WithoutJoint:
    """A walk of somebody else."""

    def __init__(self, walk):
        self.chunk_rows, self.log_prob, self.add, self.stats = (
            walk.chunk_rows,
            walk.log_prob,
            walk.add,
            walk.stats,
        )


def test_a_walk_need_not_have_a_quick_way(rng, monkeypatch):
    mixture, params, data = problem(rng, StudentT("full"))
    wanted = e_step(mixture, params, data)
    walk = mixture.family.walk
    monkeypatch.setattr(mixture.family, "walk", lambda *given: WithoutJoint(walk(*given)), raising=False)
    assert_same_record(e_step(mixture, params, data), wanted)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("dtype", "scale", "far"), [(np.float64, 1e-60, 1e100), (np.float32, 1e-10, 1e12)])
@pytest.mark.parametrize("covariance", COVARIANCES)
def test_rows_too_far_away_for_numbers_take_the_careful_way(covariance, dtype, scale, far, rng):
    mixture, params, data = problem(rng, Gaussian(covariance), dtype, scale=scale)
    x = data.x.copy()
    x[200] = far
    block = replace(data, x=x).at(np.arange(40, 300))
    dtype = dtype if mixture.family.has_single else np.float64
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        quick = _expected(mixture, params, block, dtype, quick=True)
    found = e_step(mixture, params, block, dtype)
    if covariance in OWN_WAY and not (covariance != "full" and x.dtype == np.float32):
        assert not np.isfinite(quick.log_lik)
    assert np.isfinite(found.log_lik)
    assert_same_record(found, _expected(mixture, params, block, dtype, quick=False))
    assert found.weight.sum() == pytest.approx(block.weight.sum(), rel=1e-6)


@pytest.mark.parametrize("covariance", ["diag", "spherical"])
def test_walks_begun_anew_add_up_their_own_rows(covariance, rng):
    mixture, params, data = problem(rng, Gaussian(covariance))
    shape = params.family
    wanted = e_step(mixture, replace(params, family=copy.deepcopy(shape)), data)
    first = mixture.family.walk(shape, np.float64)
    first.log_prob(data.x)
    first.add(np.ones((3, 300)))
    assert_same_record(e_step(mixture, params, data), wanted)
    assert shape.walks
    assert not pickle.loads(pickle.dumps(shape)).walks
    assert not copy.deepcopy(shape).walks


def test_memory_serves_the_next_context_and_never_two_at_once():
    with keeping():
        _serves_one_after_the_other()


def _serves_one_after_the_other():
    with kept():
        one, other = Scratch(np.float64), Scratch(np.float32)
        first, second = one("rows", 7, 9), other("rows", 50)
        assert not np.shares_memory(first, second)
        with kept():
            assert not np.shares_memory(first, Scratch(np.float64)("rows", 60))
        addresses = {array.ctypes.data for array in (first, second)}
    with kept():
        again = [Scratch(np.float64)("rows", 5) for _ in range(3)]
        assert addresses < {array.ctypes.data for array in again}
        assert not any(np.shares_memory(a, b) for i, a in enumerate(again) for b in again[:i])
    outside = Scratch(np.float64)("rows", 5)
    with kept():
        assert not np.shares_memory(outside, Scratch(np.float64)("rows", 5))


def root(array):
    return array if array.base is None else root(array.base)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_memory_is_kept_while_an_engine_of_threads_is_open_and_no_longer(n_threads):
    data, seen = Data.unlabeled(np.zeros((100, 1))), []

    def function(block):
        with kept():
            seen.append(weakref.ref(root(Scratch(np.float64)("rows", 1000))))

    with ThreadEngine(n_threads, 10).open() as engine:
        engine.map_blocks(function, data)
        assert any(one() is not None for one in seen)
    assert not any(one() is not None for one in seen)
    with ThreadPoolExecutor(1) as pool:  # as a worker of another engine
        pool.submit(function, data).result()
        assert seen[-1]() is None


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_the_quick_way_leaves_out_what_a_label_or_a_share_of_nothing_does(covariance, rng):
    mixture, params, data = problem(rng, Gaussian(covariance))
    with np.errstate(divide="ignore"):
        empty = replace(params, log_within=np.log([1.0, 1.0, 0.0]))
    for these, rows in (
        (params, np.arange(0, 40, 2)),
        (params, np.arange(1, 40, 2)),
        (empty, np.arange(40, 300)),
    ):
        block = data.at(rows)
        careful, quick = (_expected(mixture, these, block, np.float64, quick=way) for way in (False, True))
        assert np.isfinite(quick.log_lik)
        assert_same_record(quick, careful, rtol=1e-12, atol=1e-11)
    assert quick.weight[:, 2].sum() == 0


@pytest.mark.parametrize("fails", [0, 4, 9])
@pytest.mark.parametrize("n_threads", [2, 4])
def test_an_error_in_a_block_is_raised_and_ends_the_walk(fails, n_threads):
    data, begun = Data.unlabeled(np.arange(1000.0)[:, None]), []

    def function(block):
        begun.append(int(block.x[0, 0]) // 10)
        if begun[-1] == fails:
            raise KeyError(fails)
        return begun[-1]

    with pytest.raises(KeyError, match=str(fails)):
        ThreadEngine(n_threads, 10).map_blocks(function, data)
    assert len(begun) < 100


def test_a_pool_that_is_busy_keeps_nobody_waiting():
    data, free = Data.unlabeled(np.arange(100.0)[:, None]), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(free.wait, 60)
        engine = _Threads(pool, 2, 10)
        assert engine.map_blocks(lambda block: block.x[0, 0], data) == list(range(0, 100, 10))
        assert engine.reduce_blocks(lambda block: [block.x[0, 0]], lambda a, b: a + b, data) == [
            list(range(0, 100, 10))
        ]
        assert not busy.done()
        free.set()
