"""Labeling: a session that asks for the label that teaches most, saves every answer, and refits meanwhile.

:class:`Session` has everything but a page: the journal (:mod:`~semigen.labeling.journal`), what comes next
(:mod:`~semigen.labeling.schedule`), the process that learns (:mod:`~semigen.labeling.worker`), and files of
other programs (:mod:`~semigen.labeling.formats`).
"""

from semigen.labeling.session import Session

__all__ = ["Session"]
