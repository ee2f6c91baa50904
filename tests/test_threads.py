"""Threads: the limit of the linear algebra library, and what is computed beside."""

import threading
import warnings
from contextlib import ExitStack

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from semigen.common.threads import begun, map_threads, one_blas_thread
from semigen.estimators import classifiers
from semigen.estimators.classifiers import RidgeLogistic


def blas_threads():
    return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}


@pytest.fixture
def two_blas_threads():
    with threadpool_limits(2, user_api="blas"):
        assert blas_threads() == {2}
        yield


@pytest.mark.parametrize("first_leaves_first", [True, False])
def test_one_blas_thread_ends_when_the_last_thread_leaves_it(two_blas_threads, first_leaves_first):
    entered, leave = threading.Event(), threading.Event()

    def work():
        with one_blas_thread():
            entered.set()
            assert leave.wait(timeout=10)

    with ExitStack() as mine:
        mine.enter_context(one_blas_thread())
        other = threading.Thread(target=work)
        other.start()
        assert entered.wait(timeout=10)
        if first_leaves_first:
            mine.close()
            assert blas_threads() == {1}  # the other thread is still in it
        leave.set()
        other.join()
        if not first_leaves_first:
            assert blas_threads() == {1}
    assert blas_threads() == {2}


def test_one_blas_thread_ends_with_an_error_and_in_a_generator_that_is_closed(two_blas_threads):
    with pytest.raises(ValueError, match="no number"), one_blas_thread():
        raise ValueError("no number")
    assert blas_threads() == {2}
    results = map_threads(lambda one: blas_threads(), range(3), n_jobs=2)
    assert next(results) == {1}
    results.close()
    assert blas_threads() == {2}


def test_ridge_regression_takes_one_blas_thread(two_blas_threads, monkeypatch):
    seen = []
    svd = np.linalg.svd
    monkeypatch.setattr(
        classifiers.np.linalg, "svd", lambda *a, **k: seen.append(blas_threads()) or svd(*a, **k)
    )
    RidgeLogistic().fit(np.random.default_rng(0).normal(size=(8, 20)), np.arange(8) % 2)
    assert seen == [{1}]
    assert blas_threads() == {2}


def test_what_is_begun_is_computed_beside():
    both = threading.Barrier(2)

    def work():
        both.wait(timeout=10)
        return threading.current_thread()

    found = begun(work, 2)
    both.wait(timeout=10)
    assert found() is not threading.current_thread()


def test_with_one_thread_it_is_computed_when_it_is_asked_for():
    calls = []
    found = begun(lambda: calls.append(threading.current_thread()), 1)
    assert calls == []
    found()
    assert calls == [threading.current_thread()]


def test_its_errors_and_warnings_reach_who_asks_for_it():
    def work():
        warnings.warn("careful", UserWarning, stacklevel=1)
        raise ValueError("no graph")

    with pytest.warns(UserWarning, match="careful"), pytest.raises(ValueError, match="no graph"):
        begun(work, 2)()
