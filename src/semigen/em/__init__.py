"""Expectation–maximization for mixtures on labeled and unlabeled rows.

``records`` says what a mixture, its parameters and its statistics are; ``kernel`` has the formulas (E-step,
merge, M-step); ``engines`` decide where blocks of rows are computed; ``initialize`` finds a start;
``loop`` iterates.
"""

from semigen.em.engines import Engine, ThreadEngine
from semigen.em.initialize import restart, restartable, start
from semigen.em.kernel import e_step, impute, log_joint, m_step
from semigen.em.loop import Fit, fit
from semigen.em.mechanism import LabelMechanism
from semigen.em.records import ClassPrior, Data, LabelNoise, Mixture, Params, Stats

__all__ = [
    "ClassPrior",
    "Data",
    "Engine",
    "Fit",
    "LabelMechanism",
    "LabelNoise",
    "Mixture",
    "Params",
    "Stats",
    "ThreadEngine",
    "e_step",
    "fit",
    "impute",
    "log_joint",
    "m_step",
    "restart",
    "restartable",
    "start",
]
