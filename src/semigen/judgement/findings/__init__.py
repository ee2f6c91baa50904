"""Findings: small functions that look at a study; add one to ``LOOKS`` and advice has it."""

from semigen.judgement.findings.clusters import clusters_are_classes, label_equivalents
from semigen.judgement.findings.columns import telling
from semigen.judgement.findings.density import density_fit
from semigen.judgement.findings.drift import drift
from semigen.judgement.findings.labels import classes_like_two, rare_classes, suspicious_labels, twins
from semigen.judgement.findings.path import held_out_change, path_jump
from semigen.judgement.findings.population import combinations, covariate_shift, label_shift, shuffled_columns
from semigen.judgement.findings.records import SEVERITIES, Finding, Look, Severity

LOOKS: tuple[Look, ...] = (
    held_out_change,
    path_jump,
    clusters_are_classes,
    drift,
    density_fit,
    label_equivalents,
    combinations,
    covariate_shift,
    label_shift,
    shuffled_columns,
    telling,
    suspicious_labels,
    classes_like_two,
    twins,
    rare_classes,
)
"""All looks, in the order in which findings of one severity are told."""

__all__ = ["LOOKS", "SEVERITIES", "Finding", "Look", "Severity"]
