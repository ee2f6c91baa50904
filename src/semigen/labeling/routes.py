"""What the page asks of a session, over HTTP: reads what comes in, calls the session, writes JSON."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from semigen.common.plain import plain
from semigen.common.text import visible
from semigen.exceptions import ParameterError, SemigenError
from semigen.labeling.feed import Feed
from semigen.labeling.words import WORDS
from semigen.reporting.page import style

if TYPE_CHECKING:
    from semigen.labeling.session import Session

_MOST_BYTES = 64 * 1024
_MOST_CLASSES = 1000
_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp")
"""Kinds of image that a browser shows and that hold no script."""


class _Json(Response):
    """JSON in ASCII, as a cell may hold a lone surrogate; numbers that are not finite are null."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return json.dumps(_plain(content), allow_nan=False, separators=(",", ":")).encode()


def application(session: Session, feed: Feed, person: str) -> Starlette:
    """The page of a session, without any check of who asks.

    Parameters
    ----------
    session : Session
        What is labeled.
    feed : Feed
        Its versions.
    person : str
        Who labels, where the address does not say it.
    """
    shown = {**_static_files(), "style.css": (style().encode(), _TYPES["css"])}
    page = Environment(
        loader=PackageLoader("semigen.labeling"), autoescape=True, undefined=StrictUndefined
    ).get_template("label.html")

    async def home(request: Request) -> Response:
        who = _text(request.query_params.get("person") or person, "person")
        target = (await run_in_threadpool(session.state, who))["target"]
        return HTMLResponse(page.render(person=who, target=visible(str(target)), words=WORDS))

    async def static(request: Request) -> Response:
        content, kind = shown.get(request.path_params["name"], (None, ""))
        if content is None:
            raise HTTPException(404)
        return Response(content, media_type=kind)

    async def view(request: Request) -> Response:
        who = _text(request.query_params.get("person"), "person")
        return await run_in_threadpool(_view, session, who)

    async def image(request: Request) -> Response:
        key = _text(request.query_params.get("key"), "key")
        content, kind = await run_in_threadpool(session.image, key)
        return Response(content, media_type=kind if kind in _IMAGES else "application/octet-stream")

    async def events(request: Request) -> Response:
        return StreamingResponse(feed.stream(), media_type="text/event-stream")

    def answer(who: str, body: Mapping[str, Any]) -> Any:
        classes = body.get("classes", [])
        if not isinstance(classes, list) or len(classes) > _MOST_CLASSES:
            raise ParameterError(WORDS["wrong_classes"])
        return session.answer(
            who,
            _text(body.get("key"), "key"),
            classes=[_text(one, "class") for one in classes],
            unsure=_flag(body, "unsure"),
            skip=_flag(body, "skip"),
            note=_text(body.get("note", ""), "note"),
        )

    def undo(who: str, body: Mapping[str, Any]) -> Any:
        return session.undo(who)

    def add_class(who: str, body: Mapping[str, Any]) -> Any:
        return session.add_class(who, _text(body.get("name"), "name"))

    def posts(action: Callable[[str, Mapping[str, Any]], Any]) -> Callable[[Request], Awaitable[Response]]:
        """An action, answered by what it did and by the next item: one request per key press."""

        def act(body: Mapping[str, Any]) -> Response:
            who = _text(body.get("person"), "person")
            return _view(session, who, done=action(who, body))

        async def handler(request: Request) -> Response:
            return await run_in_threadpool(act, await _body(request))

        return handler

    app = Starlette(
        routes=[
            Route("/", home),
            Route("/static/{name}", static),
            Route("/api/view", view),
            Route("/api/image", image),
            Route("/api/events", events),
            Route("/api/answer", posts(answer), methods=["POST"]),
            Route("/api/undo", posts(undo), methods=["POST"]),
            Route("/api/class", posts(add_class), methods=["POST"]),
        ],
        exception_handlers={SemigenError: _wrong, HTTPException: _wrong, ClientDisconnect: _wrong},
    )
    app.router.redirect_slashes = False
    return app


def _view(session: Session, person: str, **more: Any) -> Response:
    return _Json({**more, "item": session.item(person), "state": session.state(person)})


async def _wrong(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)
    return JSONResponse({"error": str(error)}, 400)


async def _body(request: Request) -> Mapping[str, Any]:
    """The JSON object that a request carries."""
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > _MOST_BYTES:
            raise HTTPException(413, WORDS["too_long"].format(n=_MOST_BYTES // 1024), {"connection": "close"})
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        raise ParameterError(WORDS["no_json"]) from None
    if not isinstance(body, dict):
        raise ParameterError(WORDS["no_json"])
    return body


def _text(value: Any, what: str) -> str:
    """A text that a file can hold; what else it may be, the session knows."""
    try:
        if isinstance(value, str) and value.encode() is not None:
            return value
    except UnicodeEncodeError:
        pass
    raise ParameterError(WORDS["wrong_text"].format(what=what))


def _flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise ParameterError(WORDS["wrong_flag"].format(what=name))
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return plain(value)


def _static_files() -> dict[str, tuple[bytes, str]]:
    """Style sheet, scripts and icon, by name."""
    folder = files("semigen.labeling") / "static"
    return {
        one.name: (one.read_bytes(), _TYPES[one.name.rpartition(".")[2]])
        for one in folder.iterdir()
        if one.name.rpartition(".")[2] in _TYPES
    }
