"""Who may ask the page: those who know its address, from pages of its own, on this computer."""

from __future__ import annotations

import ipaddress
import re
import secrets
import socket
from dataclasses import dataclass, field
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from semigen.labeling.words import WORDS

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?")

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = {
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_NOT_FRAMED = {"cross-origin-opener-policy": "same-origin", "x-frame-options": "DENY"}


@dataclass(frozen=True)
class Gate:
    """What a request has to show.

    Attributes
    ----------
    host : str
        The address that the server listens on.
    port : int
        Its port.
    framed : bool
        Whether the page is shown in a frame of another one, as in a notebook: browsers send no strict cookie
        there, so the token is the first part of every path, and there is no cookie.
    token : str
        A secret: in the address that a person opens, then in a cookie that no script can read.
    """

    host: str
    port: int
    framed: bool = False
    token: str = field(default_factory=lambda: secrets.token_hex(20))

    @property
    def cookie(self) -> str:
        """The name of the cookie. Ports of a host share their cookies, so it has the port."""
        return f"semigen-{self.port}"

    def url(self, person: str | None = None) -> str:
        """The address that a person opens."""
        name = socket.gethostname() if self.host in ("0.0.0.0", "::") else self.host
        name = f"[{name}]" if ":" in name else name
        base = f"http://{name}:{self.port}/"
        query = [] if person is None else [f"person={quote(person, safe='')}"]
        if self.framed:
            return f"{base}{self.token}/" + ("?" if query else "") + "".join(query)
        return f"{base}?" + "&".join([f"token={self.token}", *query])

    def answers_to(self, host: str) -> bool:
        """Whether a page may call this server so; a name that a stranger's DNS gives us is not ours.

        Any port will do, since a tunnel may have another one, and so will any number where the server
        listens to other computers: only names can be given by DNS.
        """
        found = _HOST.fullmatch(host.lower())
        if found is None:
            return False
        name = found[1]
        if name in LOOPBACK:
            return True
        if is_loopback(self.host):
            return False
        return name in (self.host.lower(), socket.gethostname().lower()) or _is_number(name)


def is_loopback(host: str) -> bool:
    """Whether only this computer reaches what listens on ``host``."""
    return host == "localhost" or (_is_number(host) and ipaddress.ip_address(host.strip("[]")).is_loopback)


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


class Guard:
    """An application behind a gate: strangers are refused, and every answer has strict headers."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self.app, self.gate = app, gate
        frames = {} if gate.framed else _NOT_FRAMED
        policy = _POLICY if gate.framed else f"{_POLICY}; frame-ancestors 'none'"
        self.headers = {**_HEADERS, **frames, "content-security-policy": policy}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def send_strict(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self.headers)
            await send(message)

        headers = Headers(scope=scope)
        answer = self._refusal(scope, headers) or self._welcome(scope, headers)
        if answer is not None:
            await answer(scope, receive, send_strict)
            return
        if self.gate.framed:
            scope = {**scope, "path": scope["path"].removeprefix(f"/{self.gate.token}")}
        await self.app(scope, receive, send_strict)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """Why a request comes from another page than ours; None where it does not."""
        hosts, posts = headers.getlist("host"), scope["method"] == "POST"
        if len(hosts) != 1 or not self.gate.answers_to(hosts[0]):
            return _refused(scope, "wrong_host")
        if scope["method"] not in ("GET", "POST"):
            return _refused(scope, "wrong_method", 405)
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
        if origin is not None and origin.lower() != f"http://{hosts[0].lower()}":
            return _refused(scope, "wrong_origin")
        opened = headers.get("sec-fetch-mode") == "navigate" and not posts
        if site not in ("same-origin", "none") and not opened:
            return _refused(scope, "wrong_origin")
        if posts and headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return _refused(scope, "wrong_type", 415)
        return None

    def _welcome(self, scope: Scope, headers: Headers) -> Response | None:
        """The answer to who shows no cookie: a cookie for the token, or a refusal. None where all is well."""
        if self.gate.framed:
            path, known = scope["path"].split("/", 2)[1:], self.gate.token
            return None if len(path) == 2 and _same(path[0], known) else _refused(scope, "no_token")
        query = QueryParams(scope["query_string"])
        if scope["path"] == "/" and scope["method"] == "GET" and "token" in query:
            if not _same(query["token"], self.gate.token):
                return _refused(scope, "no_token")
            return self._with_cookie(query.get("person"))
        if not any(_same(value, self.gate.token) for value in _cookies(headers, self.gate.cookie)):
            return _refused(scope, "no_token")
        return None

    def _with_cookie(self, person: str | None) -> Response:
        """A page that opens the real one: a redirect would count as coming from the site that linked here."""
        target = "/" if person is None else f"/?person={quote(person, safe='')}"
        answer = HTMLResponse(
            '<!DOCTYPE html><html lang="en"><title>semigen</title><link rel="icon" href="/static/icon.svg">'
            f'<meta http-equiv="refresh" content="0; url={target}">'
            f'<a href="{target}">{WORDS["go_on"]}</a></html>'
        )
        answer.set_cookie(self.gate.cookie, self.gate.token, httponly=True, samesite="strict", path="/")
        return answer


def _same(given: str, known: str) -> bool:
    return secrets.compare_digest(given.encode("utf-8", "surrogatepass"), known.encode())


def _cookies(headers: Headers, name: str) -> list[str]:
    pairs = [one.strip().partition("=") for line in headers.getlist("cookie") for one in line.split(";")]
    return [value for key, _, value in pairs if key == name]


def _refused(scope: Scope, why: str, status: int = 403) -> Response:
    if scope["path"] == "/":
        return PlainTextResponse(WORDS[why], status)
    return JSONResponse({"error": WORDS[why]}, status)
