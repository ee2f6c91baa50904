"""The labeling page inside a notebook."""

from __future__ import annotations

from html import escape
from types import TracebackType
from typing import Any, Self

from semigen.labeling.server import Page, check_extra
from semigen.labeling.session import Session

_HEIGHT = 900


class Labeling:
    """A labeling page that runs beside the notebook, which shows it in a frame.

    Attributes
    ----------
    session : Session
        What is labeled.
    url : str
        The page's address, to open it in a window of its own. It holds a secret: who knows it may label.
    """

    def __init__(self, session: Session, *, port: int = 0, person: str | None = None) -> None:
        self.session = session
        self._page = Page(session, port=port, person=person, framed=True)
        self._page.start()
        self.url = self._page.url

    @property
    def labels(self) -> Any:
        """The labels until now, (n,): a Series of the frame's library, empty where there is none or a set."""
        return self.session.labels()

    def stop(self) -> None:
        """Stop the page and close the session; the labels stay, here and in the journal."""
        self._page.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"Labeling({self.url!r})"

    def _repr_html_(self) -> str:
        return (
            f'<iframe title="semigen label" src="{escape(self.url)}" '
            f'style="width: 100%; height: {_HEIGHT}px; border: 0"></iframe>'
        )


def label(frame: Any, *, target: str, person: str | None = None, port: int = 0, **options: Any) -> Labeling:
    """Label the rows of a table in a notebook, and watch a model learn from the labels.

    The page asks for the label that teaches most, shows how good the model is and says when to stop. Every
    answer is saved in a journal beside the notebook when it is given; the same call goes on from it.

    Parameters
    ----------
    frame : data frame, or path of a table or of a folder of images
        The rows. Labels in the column ``target`` count.
    target : str
        What is labeled.
    person : str or None
        Who labels; None for the name of the user of this computer.
    port : int, default=0
        Port of this computer on which the page is served; 0 for a free one.
    **options
        ``id``, ``classes``, ``text``, ``journal``, ``blind`` and others of
        :meth:`semigen.labeling.Session.open`.

    Returns
    -------
    Labeling
        In a notebook it shows the page; ``labels`` are the labels until now, ``stop()`` ends it.

    Raises
    ------
    MissingExtraError
        If a library of the extra ``label`` is not installed.
    SemigenError
        If table, journal or parameters cannot be used.

    See Also
    --------
    semigen.query : Which rows to label next, without a page.
    """
    check_extra()
    session = Session.open(frame, target=target, **options)
    try:
        return Labeling(session, port=port, person=person)
    except BaseException:
        session.close()
        raise
