"""Expectation–maximization for mixtures on labeled and unlabeled rows.

``records`` says what a mixture, its parameters and its statistics are; ``kernel`` has the formulas (E-step,
merge, M-step), all functions of one block of rows (:mod:`semigen.data.blocks`); ``engines`` decide where
blocks are computed; ``initialize`` finds a start; ``loop`` iterates; ``hierarchy`` fits level by level.
"""

from semigen.data.blocks import Block, Blocks, Data, Engine
from semigen.em.acceleration import as_acceleration
from semigen.em.engines import ThreadEngine, as_engine
from semigen.em.hierarchy import Level, fit_levels, refined
from semigen.em.initialize import alive, restart, start
from semigen.em.kernel import e_step, evidence_of, impute, log_joint, m_step
from semigen.em.loop import Climb, Fit, fit, fit_together, warn_unless_converged
from semigen.em.mechanism import LabelMechanism
from semigen.em.records import ClassPrior, LabelNoise, Mixture, Params, Stats

__all__ = [
    "Block",
    "Blocks",
    "ClassPrior",
    "Climb",
    "Data",
    "Engine",
    "Fit",
    "LabelMechanism",
    "LabelNoise",
    "Level",
    "Mixture",
    "Params",
    "Stats",
    "ThreadEngine",
    "alive",
    "as_acceleration",
    "as_engine",
    "e_step",
    "evidence_of",
    "fit",
    "fit_levels",
    "fit_together",
    "impute",
    "log_joint",
    "m_step",
    "refined",
    "restart",
    "start",
    "warn_unless_converged",
]
