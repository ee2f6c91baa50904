"""The engine on PyTorch: as threads, in float64 to rounding, in one process or two."""

import os
import subprocess
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from semigen import MixtureClassifier
from semigen.data.labels import Labels
from semigen.em import Engine, Stats, ThreadEngine, e_step, fit, fit_together, start
from semigen.exceptions import ParameterError
from semigen.families import Gaussian
from semigen.representation import MixtureEnsembleFeatures
from semigen.testing import ENGINE_LAWS
from semigen.testing.covariances import gaussian_rows
from semigen.testing.engines import N_ROWS, STRUCTURES, learned
from semigen.testing.trials import Case, Trial, assert_same_record, mixture_data

torch = pytest.importorskip("torch")

SHAPES = ("full", "tied", "diag", "spherical", "low_rank")
ENGINES = {
    "one block": {},
    "seven blocks": {"block_rows": 30},
    "seven blocks that stream": {"block_rows": 30, "keep": False},
}


def engine(**options) -> Engine:
    from semigen.engines import TorchEngine

    return TorchEngine("cpu", **options)


def problem(shape, rng, n=N_ROWS, dtype=np.float64):
    trial = Trial(Case(shape, Gaussian(shape), gaussian_rows), rng, n=n)
    mixture, data, plain = mixture_data(trial, 0.3, rng)
    return mixture, replace(data, x=data.x.astype(dtype)), plain


@pytest.mark.parametrize("options", ENGINES.values(), ids=ENGINES)
@pytest.mark.parametrize("law", ENGINE_LAWS[:3], ids=lambda law: law.__name__)
def test_the_laws_of_blocks(law, options):
    law(engine(**options))


@pytest.mark.parametrize("options", ENGINES.values(), ids=ENGINES)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_and_structure_is_fitted_as_by_one_thread(shape, options, rng):
    mixture, data, plain = problem(shape, rng)
    for structure in STRUCTURES.values():
        this = replace(mixture, **structure)
        wanted = learned(mixture.family, this, data, plain)
        found = learned(mixture.family, this, data, engine(**options))
        assert_same_record(found, wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("shape", SHAPES)
def test_float32_rows_give_six_digits_and_end_in_float64(shape, rng):
    mixture, data, plain = problem(shape, rng, dtype=np.float32)
    begin = learned(mixture.family, mixture, data, plain)
    ends = [fit(mixture, begin[0], data, begin[1], one, max_iter=500, tol=1e-9) for one in (engine(), plain)]
    assert ends[0].objective == pytest.approx(ends[1].objective, abs=1e-7)
    rough = [fit(mixture, begin[0], data, begin[1], one, max_iter=1, tol=0.0) for one in (engine(), plain)]
    np.testing.assert_allclose(rough[0].params.family.mean, rough[1].params.family.mean, rtol=1e-5, atol=1e-5)


@pytest.fixture
def single(monkeypatch):
    """The processor taken for a device without float64, of which no tensor may have it."""
    from semigen.engines import tensors

    monkeypatch.setattr(tensors, "_has_float64", lambda device: False)
    monkeypatch.setitem(tensors.CHUNK_NUMBERS, "cpu", 2**9)  # several chunks
    seen, of, add = [], tensors._Rows.of, tensors.TensorWalk.add

    def added(walk, resp):
        seen.extend((resp.dtype, walk.y.dtype, walk.whiten.dtype, walk.center.dtype))
        assert {walk.weight.dtype, walk.first.dtype, walk.second.dtype} == {torch.float64}
        add(walk, resp)

    def copied(*given):
        rows = of(*given)
        seen.extend((rows.x.dtype, rows.weight.dtype))
        return rows

    monkeypatch.setattr(tensors._Rows, "of", copied)
    monkeypatch.setattr(tensors.TensorWalk, "add", added)
    return seen


@pytest.mark.parametrize("options", ENGINES.values(), ids=ENGINES)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_device_without_float64_adds_up_on_the_processor(shape, options, rng, single):
    mixture, data, plain = problem(shape, rng, dtype=np.float32)
    data = replace(data, weight=data.weight * rng.uniform(0.3, 1.7, size=len(data.weight)))
    begin = learned(mixture.family, mixture, data, plain)
    e_step_of = partial(e_step, mixture, begin[1], dtype=np.float32)
    ((found,), (wanted,)) = (
        one.reduce_blocks(e_step_of, Stats.merge, data) for one in (engine(**options), plain)
    )
    assert set(single) == {torch.float32}
    assert_same_record(found, wanted, rtol=2e-5, atol=1e-4)
    ends = [
        fit(mixture, begin[0], data, begin[1], one, max_iter=500, tol=1e-9)
        for one in (engine(**options), plain)
    ]
    assert ends[0].objective == pytest.approx(ends[1].objective, abs=1e-7)


def test_what_needs_float64_is_computed_by_threads_where_the_device_has_none(rng, single):
    mixture, data, plain = problem("full", rng)
    wanted = learned(mixture.family, mixture, data, plain)
    assert_same_record(learned(mixture.family, mixture, data, engine()), wanted, rtol=1e-12, atol=1e-12)
    x = clusters(rng)
    for one, other in zip(features(x, engine=engine()).mixtures_, features(x).mixtures_, strict=True):
        assert_same_record(one.params, other.params, rtol=1e-8, atol=1e-8)
    assert not single


def test_rows_of_weight_0_and_far_away_are_as_on_threads(rng):
    mixture, data, plain = problem("full", rng)
    weight = np.where(np.arange(N_ROWS) % 3 == 1, 0.0, data.weight)
    x = data.x.copy()
    x[4] = 1e6
    data = replace(data, x=x, weight=weight)
    wanted = learned(mixture.family, mixture, data, plain)
    assert_same_record(
        learned(mixture.family, mixture, data, engine(block_rows=30)), wanted, rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize(("keep", "copies"), [(True, 7), (False, 7 * 6)])
def test_rows_are_copied_once_unless_they_stream(keep, copies, rng, monkeypatch):
    from semigen.engines import tensors

    mixture, data, plain = problem("diag", rng)
    data = replace(data, labels=replace(data.labels, pattern=np.zeros(N_ROWS, dtype=np.intp)))
    prior = mixture.family.fit_prior(data, None, plain)
    begin = start(mixture, prior, problem("diag", rng)[1], plain, rng)
    counted, of = [], tensors._Rows.of
    monkeypatch.setattr(tensors._Rows, "of", lambda *given: counted.append(1) or of(*given))
    with engine(block_rows=30, keep=keep).open() as running:
        fit(mixture, prior, data, begin, running, max_iter=5, tol=0.0)
    assert len(counted) == copies


def test_a_classifier_takes_it_by_name(rng):
    x = rng.normal(size=(90, 3)) + np.repeat([[0.0], [2.0]], 45, axis=0)
    y = np.where(np.arange(90) % 9 == 0, np.arange(90) // 45, -1)
    found, wanted = (MixtureClassifier(engine=one).fit(x, y) for one in ("torch", ThreadEngine(1)))
    np.testing.assert_allclose(found.predict_proba(x), wanted.predict_proba(x), atol=1e-9)


def test_what_it_cannot_compute_is_refused_with_a_cure(rng):
    x = rng.normal(size=(40, 2))
    y = np.where(np.arange(40) < 10, np.arange(40) % 2, -1)
    with pytest.raises(ParameterError, match=r"no walk for the family 'student_t'.*engine=None"):
        MixtureClassifier("student_t", engine="torch").fit(x, y)
    with pytest.raises(ParameterError, match=r"missing values: use engine=None"):
        MixtureClassifier(engine="torch").fit(np.where(rng.random(x.shape) < 0.1, np.nan, x), y)
    from semigen.engines import TorchEngine

    with pytest.raises(ParameterError, match="device='nowhere' cannot be used"):
        TorchEngine("nowhere")
    if not torch.backends.mps.is_available():
        with pytest.raises(ParameterError, match=r"device='mps' cannot be used.*mps\.is_available"):
            TorchEngine("mps")


def features(x, **options):
    return MixtureEnsembleFeatures(12, n_iter=8, max_components=9, n_jobs=1, **options).fit(x)


def clusters(rng, n=400):
    centers = rng.normal(size=(3, 7))
    return np.exp(0.4 * (3 * centers[rng.integers(3, size=n)] + rng.normal(size=(n, 7))))


def test_mixtures_without_labels_are_fitted_in_one_batch_as_on_threads(rng, monkeypatch):
    from semigen.engines import banks, tensors

    x = clusters(rng)
    sizes, e_steps = [], banks.Bank.e_steps
    monkeypatch.setattr(
        banks.Bank, "e_steps", lambda self, each, most: sizes.append(len(each)) or e_steps(self, each, most)
    )
    monkeypatch.setitem(tensors.CHUNK_NUMBERS, "cpu", 2**13)  # several chunks
    alone = []
    e_step = tensors.tensor_e_step
    monkeypatch.setattr(tensors, "tensor_e_step", lambda *given: alone.append(given) or e_step(*given))
    found, wanted = features(x, engine=engine()), features(x)
    assert sum(sizes[:2]) == 12
    assert sum(sizes[-2:]) < 12  # fits that are done leave their batch
    assert len(alone) <= 2  # the last of a batch
    for one, other in zip(found.mixtures_, wanted.mixtures_, strict=True):
        assert_same_record(one.params, other.params, rtol=1e-8, atol=1e-8)
        assert one.evidence == pytest.approx(other.evidence, abs=1e-8)
        assert one.share == pytest.approx(other.share, rel=1e-6)
    assert {one.mixture.family.covariance.name for one in found.mixtures_} == {"tied", "diag"}


@pytest.mark.parametrize("shape", ["tied", "spherical", "full"])
def test_only_rows_without_labels_are_computed_in_a_batch(shape, rng, monkeypatch):
    from semigen.engines import banks, tensors

    mixture, data, plain = problem(shape, rng)
    mixture = replace(mixture, **STRUCTURES["several components"])
    prior = mixture.family.fit_prior(data, None, plain)
    begin = start(mixture, prior, data, plain, rng)
    none = Labels(data.labels.classes, data.labels.log_table[:1], np.zeros(N_ROWS, dtype=np.intp))
    free = replace(data, labels=none)
    several = [(mixture, prior, one, begin) for one in (free, data, free.at(np.arange(100)), free, data)]
    wanted = [fit(*one, plain, max_iter=3, tol=0.0) for one in several]
    batches, of = [], banks.Bank.of
    monkeypatch.setattr(
        tensors.Bank, "of", lambda some, *given, **how: batches.append(some) or of(some, *given, **how)
    )
    for options, n_batches in (({}, shape != "full"), ({"keep": False}, 0)):
        with engine(**options).open() as running:
            found = fit_together(several, running, max_iter=3, tol=0.0)
        assert [[one.labels is none for one in some] for some in batches] == n_batches * [[True, True]]
        batches.clear()
        for one, other in zip(found, wanted, strict=True):
            assert_same_record(one.params, other.params, rtol=1e-10, atol=1e-10)
            np.testing.assert_allclose(one.path, other.path, rtol=1e-12)


@pytest.mark.parametrize("other", [None, "rows", "x", "weights", "labels", "parameters"])
def test_processes_with_other_rows_or_parameters_are_told(other, rng, monkeypatch):
    from semigen.engines import tensors

    def gather(found, mine):
        seen, results = mine
        names = "rows", "x", "weights", "labels", "parameters"
        theirs = [value + (name == other) for name, value in zip(names, seen, strict=True)]
        found[:] = [mine, (theirs, results)]

    monkeypatch.setattr(tensors, "_n_processes", lambda: 2)
    monkeypatch.setattr(tensors, "_rank", lambda: 0)
    monkeypatch.setattr(tensors.distributed, "all_gather_object", gather)
    mixture, data, plain = problem("diag", rng)
    prior = mixture.family.fit_prior(data, None, plain)
    begin = start(mixture, prior, data, plain, rng)
    with engine(block_rows=32).open() as running:
        step = partial(e_step, mixture, begin)
        if other is None:
            assert running.reduce_blocks(step, Stats.merge, data)
            return
        with pytest.raises(ParameterError, match=r"2 processes .* to the same rows .* random_state"):
            running.reduce_blocks(step, Stats.merge, data)


RANK = """
import sys, numpy as np, torch.distributed as group
from semigen import MixtureClassifier
rank = int(sys.argv[1])
group.init_process_group("gloo", init_method=f"file://{sys.argv[2]}", rank=rank, world_size=2)
rng = np.random.default_rng(0)
x = rng.normal(size=(400, 3)) + np.repeat([[0.0], [2.0]], 200, axis=0)
y = np.where(np.arange(400) % 20 == 0, np.arange(400) // 200, -1)
from semigen.engines import TorchEngine
model = MixtureClassifier(engine=TorchEngine("cpu", block_rows=64)).fit(x, y)
np.savez(f"{sys.argv[3]}{rank}", means=model.means_, path=model.objective_path_, probs=model.predict_proba(x))
group.destroy_process_group()
"""


@pytest.mark.long
def test_two_processes_fit_as_one(tmp_path):
    calls = [
        subprocess.Popen(
            [sys.executable, "-c", RANK, str(rank), str(tmp_path / "meet"), str(tmp_path / "found")],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        for rank in range(2)
    ]
    assert [one.wait(120) for one in calls] == [0, 0]
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3)) + np.repeat([[0.0], [2.0]], 200, axis=0)
    y = np.where(np.arange(400) % 20 == 0, np.arange(400) // 200, -1)
    wanted = MixtureClassifier(engine=ThreadEngine(1)).fit(x, y)
    for rank in range(2):
        with np.load(tmp_path / f"found{rank}.npz") as found:
            np.testing.assert_allclose(found["means"], wanted.means_, rtol=1e-10, atol=1e-10)
            np.testing.assert_allclose(found["path"], wanted.objective_path_, rtol=1e-10)
            np.testing.assert_allclose(found["probs"], wanted.predict_proba(x), atol=1e-9)
