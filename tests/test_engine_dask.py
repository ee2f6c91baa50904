"""The engine on Dask: as threads, whoever computes what and whoever dies."""

import copy
import os
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from semigen import MixtureClassifier
from semigen.data.labels import encode
from semigen.em import Data, Mixture, ThreadEngine, fit, start
from semigen.exceptions import ColumnError, ParameterError
from semigen.families import Gaussian
from semigen.testing import ENGINE_LAWS, check_engine

distributed = pytest.importorskip("distributed")

from semigen.engines import DaskEngine  # noqa: E402


def problem(n=4000, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(3, size=n)
    x = rng.normal(size=(n, 4)) + y[:, None]
    data = Data(x, encode(np.where(rng.random(n) < 0.03, y, -1)), np.ones(n))
    mixture = Mixture(Gaussian("full"), np.arange(3), 3)
    one = ThreadEngine(1)
    prior = mixture.family.fit_prior(data, None, one)
    return mixture, prior, data, start(mixture, prior, data, one, rng)


def difference(found, wanted):
    return max(
        np.abs(found.params.family.mean - wanted.params.family.mean).max(),
        np.abs(found.params.family.shape.covariance - wanted.params.family.shape.covariance).max(),
        np.abs(found.path - wanted.path).max(),
    )


@pytest.mark.parametrize("law", ENGINE_LAWS[:3], ids=lambda law: law.__name__)
def test_the_laws_of_blocks(law, client):
    law(DaskEngine(client, 30))


@pytest.mark.parametrize("block_rows", [170, 4000])
def test_a_fit_is_that_of_one_thread(block_rows, client):
    given = problem()
    wanted = fit(*given, ThreadEngine(1), max_iter=4, tol=0.0)
    found = fit(*given, DaskEngine(client, block_rows), max_iter=4, tol=0.0)
    assert difference(found, wanted) < 1e-10


def test_only_parameters_go_out_and_statistics_come_back(client, monkeypatch):
    """Rows are sent once for all iterations."""
    given = problem()
    sent = []
    scatter = client.scatter
    monkeypatch.setattr(
        client, "scatter", lambda blocks, **how: sent.append(blocks) or scatter(blocks, **how)
    )
    with DaskEngine(client, 500).open() as running:
        fit(*given, running, max_iter=5, tol=0.0)
    rows = sum(len(block.weight) for blocks in sent for block in blocks)
    assert rows == 4000  # labeled rows, and the others
    with DaskEngine(client, 500).open() as running:
        results = running.reduce_blocks(count, add, given[2])
    assert results == [4000]


def count(block):
    return len(block.rows)


def add(one, other):
    return one + other


def words(block):
    return [str(block.x[0, 0])]


def test_results_are_merged_in_block_order(client):
    """Of twenty blocks: three tasks of eight at most, then one."""
    data = Data.unlabeled(np.arange(20.0)[:, None])
    with DaskEngine(client, 1).open() as running:
        assert running.reduce_blocks(words, add, data) == [[f"{float(j)}" for j in range(20)]]


def test_rows_are_let_go_when_nothing_needs_them(client):
    given = problem()
    with DaskEngine(client, 500).open() as running:
        data = replace(given[2])
        running.map_blocks(count, data)
        assert len(running._sent) == 1
        del data
        assert not running._sent


def fail(block):
    raise ColumnError("column 3 is bad")


def test_errors_are_those_of_the_function(client):
    with pytest.raises(ColumnError, match="column 3 is bad"):
        DaskEngine(client, 500).map_blocks(fail, problem()[2])


def test_tasks_have_names_for_the_dashboard(client):
    from dask.utils import key_split

    from semigen.engines.collections import apply, merged

    tasks = apply(count, [1, 2])
    assert {key_split(one.key) for one in tasks} == {"semigen-count"}
    assert key_split(merged(add, tasks)[0].key) == "semigen-merge"


def test_an_engine_by_name_uses_the_current_client(client):
    x = np.random.default_rng(0).normal(size=(60, 2)) + np.repeat([[0.0], [3.0]], 30, axis=0)
    y = np.where(np.arange(60) % 10 == 0, np.arange(60) // 30, -1)
    found, wanted = (MixtureClassifier(covariance="full", engine=one).fit(x, y) for one in ("dask", None))
    np.testing.assert_allclose(found.predict_proba(x), wanted.predict_proba(x), atol=1e-9)
    assert copy.deepcopy(DaskEngine(client)).client is client
    with pytest.raises(ParameterError, match=r"client='tcp://x' is no distributed.Client"):
        DaskEngine("tcp://x")


def killed_in_mid_fit(client, pids):
    """How much a fit, in whose third iteration a worker was killed, differs from that of a thread."""
    given = problem(20_000)
    wanted = fit(*given, ThreadEngine(1), max_iter=8, tol=0.0)

    def kill(iteration, _):
        if iteration == 3:
            os.kill(pids()[0], signal.SIGKILL)

    with DaskEngine(client, 2000).open() as running:
        found = fit(*given, running, max_iter=8, tol=0.0, on_iteration=kill)
    return difference(found, wanted)


@pytest.mark.long
def test_two_processes_and_a_killed_worker_change_nothing(processes):
    check_engine(DaskEngine(processes, 30))
    assert killed_in_mid_fit(processes, lambda: list(processes.run(os.getpid).values())) < 1e-10


@pytest.mark.long
def test_a_scheduler_and_workers_from_the_command_line(tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    where = tmp_path / "scheduler.json"
    dask, local = [sys.executable, "-m", "dask"], ["--host", "127.0.0.1", "--dashboard-address", ":0"]
    file = ["--scheduler-file", str(where), *local]
    begun = [[*dask, "scheduler", *file, "--port", "0"]]
    begun += [[*dask, "worker", *file, "--nthreads", "1", "--no-nanny"]] * 2
    calls = [subprocess.Popen(one, env=environment, cwd=tmp_path) for one in begun]
    try:
        with distributed.Client(scheduler_file=str(where), timeout=60) as client:
            client.wait_for_workers(2, timeout=60)
            assert killed_in_mid_fit(client, lambda: [calls[1].pid]) < 1e-10
    finally:
        for one in calls:
            one.kill()
            one.wait()
