"""Laws of engines: who computes the blocks of a source, and where, does not change what comes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from semigen.data.blocks import Block, Data
from semigen.em import ClassPrior, Engine, LabelNoise, Mixture, fit, start
from semigen.families import Family, Gaussian, as_family
from semigen.testing.covariances import gaussian_rows
from semigen.testing.trials import N_COMPONENTS, Array, Case, Trial, assert_same_record, mixture_data, obey

N_ROWS = 210
SURE = 0.05 + 0.85 * np.eye(N_COMPONENTS)
STRUCTURES: dict[str, dict[str, Any]] = {
    "one component per class": {},
    "several components": {"group": np.array([0, 1, 1, 2])},
    "novel components": {"group": np.array([0, 1, 2, 3, 3])},
    "label noise": {"label_noise": LabelNoise(SURE, estimated=True)},
    "own class proportions": {"class_prior": ClassPrior("unlabeled")},
}
"""What a mixture can be beside its family."""


def learned(family: Family, mixture: Mixture, data: Data, engine: Engine) -> tuple[Any, ...]:
    """Prior, start and fit by one engine."""
    with engine.open() as running:
        prior = family.fit_prior(data, None, running)
        begin = start(mixture, prior, data, running, np.random.default_rng(0))
        found = fit(mixture, prior, data, begin, running, max_iter=4, tol=0.0)
    return prior, begin, found.params, found.path


def results_come_in_block_order(engine: Engine) -> None:
    """Whichever block was done first; each row that counts is in one block."""
    weight = np.where(np.arange(95) % 4 == 3, 0.0, 1.0)
    data = replace(Data.unlabeled(np.arange(95.0)[:, None]), weight=weight)
    found = np.concatenate(engine.map_blocks(_counted_values, data))
    np.testing.assert_array_equal(found, np.flatnonzero(weight))


def states_go_with_their_blocks(engine: Engine) -> None:
    """What one walk gave for a block is what the next is given with it."""
    data = Data.unlabeled(np.arange(95.0)[:, None])
    first = engine.map_blocks(_counted_values, data)
    found = np.concatenate(engine.map_blocks(_difference, data, first))
    np.testing.assert_array_equal(found, 0.0)


def a_source_without_rows_has_no_results(engine: Engine) -> None:
    """No block, no call."""
    empty = replace(Data.unlabeled(np.ones((5, 1))), weight=np.zeros(5))
    assert engine.map_blocks(_counted_values, empty) == []


def every_family_and_structure_is_fitted_as_by_one_thread(engine: Engine) -> None:
    """The same prior, start and parameters as in one block and one thread, to 1e-10."""
    rng = np.random.default_rng(0)
    for shape in ("full", "diag"):
        for holes in (0.0, 0.25):
            one = Trial(Case(shape, Gaussian(shape), gaussian_rows), rng, n=N_ROWS, holes=holes)
            mixture, data, plain = mixture_data(one, 0.3, rng)
            for structure in STRUCTURES.values():
                this = replace(mixture, **structure)
                wanted = learned(one.family, this, data, plain)
                assert_same_record(learned(one.family, this, data, engine), wanted, rtol=1e-10, atol=1e-10)
    for name in ("student_t", "poisson", "categorical"):
        family = as_family(name)
        counts = Case(name, family, lambda rng, c: np.abs(np.rint(gaussian_rows(rng, c))))
        mixture, data, plain = mixture_data(Trial(counts, rng, n=N_ROWS), 0.3, rng)
        wanted = learned(family, mixture, data, plain)
        assert_same_record(learned(family, mixture, data, engine), wanted, rtol=1e-10, atol=1e-10)


def _counted_values(block: Block) -> Array:
    return np.asarray(block.x[block.rows, 0])


def _difference(block: Block, values: Array) -> Array:
    return _counted_values(block) - values


ENGINE_LAWS: tuple[Callable[[Engine], None], ...] = (
    results_come_in_block_order,
    states_go_with_their_blocks,
    a_source_without_rows_has_no_results,
    every_family_and_structure_is_fitted_as_by_one_thread,
)


def check_engine(engine: Engine) -> None:
    """Check that an engine computes what one thread computes, to 1e-10.

    To see each law as a test of its own, parametrize a test over ``ENGINE_LAWS``, functions of an engine.

    Parameters
    ----------
    engine : Engine
        One that cuts 210 rows into several blocks shows more than one that leaves them in one.

    Raises
    ------
    AssertionError
        If a law does not hold.
    """
    obey(ENGINE_LAWS, engine)
