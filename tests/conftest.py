"""What the tests share: the --long switch, one thread for linear algebra, and common fixtures."""

import one_thread  # noqa: F401

# isort: split
import os
from functools import partial
from importlib import import_module

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings
from threadpoolctl import threadpool_limits

from semigen.cli.recipes import judging
from semigen.ensemble import defaults
from semigen.estimators.classifiers import BoostedTrees, ExtraTrees, TreeEnsemble
from semigen.families import Gaussian
from twins import SHAPES, Problem

# The gate draws the same cases every time; elsewhere every run looks for new ones.
settings.register_profile("gate", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("gate")


@pytest.fixture(autouse=True, scope="session")
def one_blas_thread():
    with threadpool_limits(1, user_api="blas"):
        yield


@pytest.fixture(autouse=True, scope="session")
def few_trees():
    """Default ensembles of few trees: growing all takes three quarters of a fit to a small table."""
    with pytest.MonkeyPatch.context() as patched:
        for trees in (BoostedTrees, ExtraTrees):
            patched.setattr(defaults, trees.__name__, partial(trees, 10))
        yield


@pytest.fixture(autouse=True, scope="session")
def small_forests():
    """Advice holds forests of few trees against the mixture: growing all takes half of its time."""
    with pytest.MonkeyPatch.context() as patched:
        study = import_module("semigen.judgement.study")  # which the package hides behind its function
        patched.setattr(study, "TreeEnsemble", lambda _, **options: TreeEnsemble(10, **options))
        yield


@pytest.fixture(autouse=True, scope="session")
def few_folds():
    """The command line judges models by two folds: five take most of the time of a small table."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(judging, "N_FOLDS", 2)
        yield


@pytest.fixture
def all_trees(monkeypatch):
    """Default ensembles as users get them, for what is said of how good they are."""
    for trees in (BoostedTrees, ExtraTrees):
        monkeypatch.setattr(defaults, trees.__name__, trees)


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="also run the statistical tests of several minutes")


LOUD_ENDS = [
    "ignore::ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
    "ignore::DeprecationWarning",
    "ignore:Port 8787:UserWarning",
]
"""What Dask says when processes end, or are killed."""


def pytest_collection_modifyitems(config, items):
    for item in items:
        for one in LOUD_ENDS if "processes" in item.fixturenames else ():
            item.add_marker(pytest.mark.filterwarnings(one))
    if config.getoption("--long"):
        return
    skip = pytest.mark.skip(reason="a test of several minutes: run with --long")
    for item in items:
        if "long" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def client():
    """A Dask cluster of two workers, in threads of this process."""
    distributed = pytest.importorskip("distributed")
    with distributed.Client(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0"
    ) as client:
        yield client


@pytest.fixture
def processes():
    """A Dask cluster of two workers in processes of their own."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def rng():
    return np.random.default_rng(20240607)


@pytest.fixture(params=SHAPES, ids=str)
def family(request):
    return Gaussian(request.param)


@pytest.fixture
def make_problem(rng):
    def make(family, **options):
        return Problem(family, rng, **options)

    return make


@pytest.fixture
def mixed(rng):
    """Two classes that every kind of column is informative about, with missing values."""
    n = 240
    y = rng.integers(2, size=n)
    frame = pd.DataFrame(
        {
            "size": rng.normal(100 + 40 * y, 15),
            "visits": rng.poisson(1 + 4 * y),
            "member": rng.random(n) < 0.2 + 0.6 * y,
            "color": np.where(rng.random(n) < 0.8, np.where(y, "red", "blue"), "green"),
        }
    )
    frame["member"] = frame["member"].astype(object)
    for name in frame:
        frame.loc[rng.random(n) < 0.15, name] = None
    labels = pd.Series(np.where(y, "new", "old")).where(np.arange(n) < 16)
    return frame, labels, np.where(y, "new", "old")
