"""The labeling page over HTTP: what it answers, whom it refuses, and that nothing makes it fail."""

import http.client
import json
import re
import socket
import threading
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import semigen
import semigen.labeling
from labeling_fake import FakeSession, table_item
from semigen.datasets import bundled_table
from semigen.exceptions import MissingExtraError, ParameterError
from semigen.labeling import server
from semigen.labeling.security import Gate, is_loopback
from semigen.labeling.server import Page, serve
from semigen.labeling.words import WORDS


class Client:
    """A browser that does what it is told: headers as they are given, over one connection per request."""

    def __init__(self, page):
        parts = urlsplit(page.url)
        self.port, self.token = parts.port, parse_qs(parts.query).get("token", [None])[0]
        self.host = f"127.0.0.1:{parts.port}"
        self.cookie = f"semigen-{parts.port}={self.token}"

    def __call__(self, method, path, body=None, *, host=None, cookie=True, **headers):
        wire = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        wire.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        sent = {"Host": self.host if host is None else host}
        if cookie:
            sent["Cookie"] = self.cookie if cookie is True else cookie
        content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        if body is not None:
            sent |= {"Content-Type": "application/json", "Content-Length": str(len(content))}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in sent.items():
            if value is not None:
                wire.putheader(name, value)
        wire.endheaders(content)
        answer = wire.getresponse()
        found = answer.read()
        wire.close()
        return answer.status, answer.headers, found

    def json(self, method, path, body=None, **more):
        status, _, content = self(method, path, body, **more)
        return status, json.loads(content)


@pytest.fixture(scope="module")
def page():
    page = Page(FakeSession(), person="Ana")
    page.start()
    yield page
    page.stop()


@pytest.fixture(scope="module")
def client(page):
    return Client(page)


@pytest.fixture
def opened():
    pages = []

    def open_page(session, **options):
        pages.append(Page(session, **options))
        pages[-1].start()
        return Client(pages[-1])

    yield open_page
    for page in pages:
        page.stop()


def listening(client):
    """The events, as a browser reads them."""
    wire = http.client.HTTPConnection("127.0.0.1", client.port, timeout=10)
    wire.request("GET", "/api/events", headers={"Cookie": client.cookie, "Connection": "close"})
    return wire.getresponse()


def test_an_answer_brings_the_next_item_and_what_it_changed(opened):
    client = opened(FakeSession())
    _, first = client.json("GET", "/api/view?person=Ana")
    assert first["item"]["key"] == "k0"
    status, reply = client.json(
        "POST", "/api/answer", {"person": "Ana", "key": "k0", "classes": ["Adelie", "Gentoo"], "note": "far"}
    )
    assert status == 200
    assert reply["done"]["classes"] == ["Adelie", "Gentoo"]
    assert reply["done"]["note"] == "far"
    assert reply["item"]["key"] == "k1"
    assert reply["state"]["n_labeled"] == 1
    assert client.json("GET", "/api/view?person=Ben")[1]["item"]["key"] == "k0"
    assert client.json("POST", "/api/class", {"person": "Ana", "name": " Rockhopper "})[0] == 200
    assert client.json("POST", "/api/undo", {"person": "Ana"})[1]["item"]["key"] == "k0"
    names = [one["name"] for one in client.json("GET", "/api/view?person=Ana")[1]["state"]["classes"]]
    assert names[-1] == "Rockhopper"
    assert client.json("POST", "/api/undo", {"person": "Ana"})[1]["done"] is None


def test_what_is_wrong_is_said(client):
    for body, words in [
        ({"person": "Ana", "key": "k0", "classes": ["Puffin"]}, "Puffin"),
        ({"person": "Ana", "key": "k99", "skip": True}, "k99"),
        ({"person": "Ana", "key": "k0", "skip": "yes"}, "skip"),
        ({"person": "", "key": "k0", "skip": True}, "person"),
        ({"person": "a\u202eb", "key": "k0", "skip": True}, "person"),
        ({"person": "Ana", "key": "k0", "classes": ["\ud800"]}, "class"),
        ({"person": "Ana", "key": "k0", "classes": "Adelie"}, "classes"),
        ({"person": "Ana", "key": "k0", "skip": True, "note": "\ud800"}, "note"),
        ([], "JSON"),
        (b"{", "JSON"),
        (b"[" * 60_000, "JSON"),
    ]:
        status, reply = client.json("POST", "/api/answer", body)
        assert status == 400
        assert words in reply["error"]
    assert client.json("GET", "/api/nothing")[0] == 404
    assert client.json("GET", "/static/..%2fserver.py")[0] == 404


def test_the_token_becomes_a_cookie_that_scripts_cannot_read(client):
    status, headers, content = client("GET", f"/?token={client.token}&person=Ana%20B%22", cookie=False)
    assert status == 200
    cookie = headers["Set-Cookie"]
    assert cookie.startswith(f"semigen-{client.port}={client.token};")
    assert {"HttpOnly", "SameSite=strict"} <= {one.strip() for one in cookie.split(";")}
    assert b'url=/?person=Ana%20B%22"' in content
    assert client.token.encode() not in content
    status, _, content = client("GET", "/?person=Ana")
    assert status == 200
    assert client.token.encode() not in content


PATHS = ["/", "/static/app.js", "/api/view?person=Ana", "/api/image?key=k0", "/api/events"]
BODY = {"person": "Ana", "key": "k0", "classes": ["Adelie"]}


@pytest.mark.parametrize("path", PATHS)
def test_strangers_read_nothing(client, path):
    assert client("GET", path, cookie=False)[0] == 403
    assert client("GET", path, cookie=f"semigen-{client.port}=wrong")[0] == 403
    assert client("GET", f"/?token=wrong{path}", cookie=False)[0] == 403
    for host in (
        "evil.example",
        f"evil.example:{client.port}",
        "127.0.0.1.evil.example",
        "localhost@evil",
        "",
    ):
        assert client("GET", path, host=host)[0] in (400, 403), host
    assert client("GET", path, Origin="http://evil.example")[0] == 403
    assert client("GET", path, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors")[0] == 403


def test_strangers_write_nothing(page, client):
    session_before = client.json("GET", "/api/view?person=Ana")[1]
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    for status, more in [
        (403, {"cookie": False}),
        (403, {"host": "evil.example"}),
        (403, {"Origin": "http://evil.example"}),
        (403, {"Origin": "null"}),
        (403, {"Origin": f"https://127.0.0.1:{client.port}"}),
        (403, {"Origin": f"http://127.0.0.1:{client.port + 1}"}),
        (403, {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", **form}),
        (415, form),
        (415, {"Content_Type": "text/plain"}),
        (415, {"Content_Type": None}),
    ]:
        assert client("POST", "/api/answer", BODY, **more)[0] == status, more
    for method in ("PUT", "DELETE", "OPTIONS", "HEAD", "TRACE"):
        assert client(method, "/api/answer")[0] == 405
    assert client("GET", "/api/answer")[0] == 405
    assert client.json("GET", "/api/view?person=Ana")[1] == session_before


def test_a_tunnel_may_have_another_port(client):
    for host in ("localhost:9000", "127.0.0.1", "[::1]:1"):
        assert client("GET", "/api/view?person=Ana", host=host, Origin=f"http://{host}")[0] == 200


@pytest.mark.parametrize("path", [*PATHS[:4], "/api/nothing"])
def test_every_answer_is_strict(client, path):
    for more in ({}, {"cookie": False}):
        headers = client("GET", path, **more)[1]
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self';")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"


def test_bodies_have_a_limit(client):
    status, reply = client.json("POST", "/api/answer", {**BODY, "note": "x" * 70_000})
    assert status == 413
    assert "64 kB" in reply["error"]
    chunks = b"".join(b"1000\r\n" + b"x" * 4096 + b"\r\n" for _ in range(20))
    with socket.create_connection(("127.0.0.1", client.port), timeout=20) as wire:
        wire.sendall(
            f"POST /api/undo HTTP/1.1\r\nHost: {client.host}\r\nCookie: {client.cookie}\r\n"
            "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )
        wire.sendall(chunks)
        assert wire.recv(100).startswith(b"HTTP/1.1 413")


def test_only_images_are_served_as_images(opened):
    session = FakeSession()
    session.image = lambda key: (b"<svg onload='alert(1)'/>", "image/svg+xml")
    headers = opened(session)("GET", "/api/image?key=k0")[1]
    assert headers["Content-Type"] == "application/octet-stream"


def test_pages_hear_of_changes_and_are_let_go(opened):
    session = FakeSession()
    client = opened(session)
    streams = [listening(client) for _ in range(3)]
    assert all(one.readline() == b"data: 0\n" for one in streams)
    assert all(one.readline() == b"\n" for one in streams)
    client("POST", "/api/answer", BODY)
    assert [one.readline() for one in streams] == [b"data: 1\n"] * 3
    begun = time.monotonic()
    client("GET", "/api/view?person=Ana")
    assert time.monotonic() - begun < 2  # streams keep no thread of those that answer
    for one in streams:
        one.close()


def test_stopping_ends_the_streams_and_closes_the_session():
    session = FakeSession()
    page = Page(session)
    page.start()
    stream = listening(Client(page))
    assert stream.readline() == b"data: 0\n"
    begun = time.monotonic()
    page.stop()
    assert time.monotonic() - begun < 2
    assert stream.read().strip() == b""
    assert session.closed
    with pytest.raises(OSError):  # noqa: PT011 (refused, or reset)
        Client(page)("GET", "/")


def test_a_notebook_has_the_token_in_the_path(opened):
    session = FakeSession()
    page = Page(session, framed=True)
    page.start()
    try:
        client, path = Client(page), urlsplit(page.url).path
        status, headers, _ = client(
            "GET", path, cookie=False, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate"
        )
        assert status == 200
        assert "frame-ancestors" not in headers["Content-Security-Policy"]
        assert "Set-Cookie" not in headers
        assert client("GET", f"{path}static/app.js", cookie=False)[0] == 200
        assert client("POST", f"{path}api/answer", BODY, cookie=False)[0] == 200
        for wrong in ("/", "/wrong/", "/api/view?person=Ana", path.rstrip("/")):
            assert client("GET", wrong, cookie=False)[0] == 403, wrong
    finally:
        page.stop()


def test_a_notebook_gets_the_labels_as_a_series(tmp_path):
    frame = pd.DataFrame({"size": np.arange(30.0)}, index=range(100, 130))
    with semigen.label(
        frame, target="kind", classes=["a", "b"], person="Ana", journal=tmp_path / "kind.journal"
    ) as labeling:
        client, path = Client(labeling), urlsplit(labeling.url).path
        assert f'src="{labeling.url.replace("&", "&amp;")}"' in labeling._repr_html_()
        item = client.json("GET", f"{path}api/view?person=Ana", cookie=False)[1]["item"]
        body = {"person": "Ana", "key": item["key"], "classes": ["b"]}
        assert client("POST", f"{path}api/answer", body, cookie=False)[0] == 200
    assert labeling.labels.name == "kind"
    assert labeling.labels.dropna().tolist() == ["b"]
    assert labeling.labels.notna().to_numpy().nonzero()[0].tolist() == [item["row"]]
    with pytest.raises(ParameterError, match="port"):
        semigen.label(frame, target="kind", port=-1, journal=tmp_path / "kind.journal")


def test_the_fake_is_like_a_session(tmp_path):
    """What the page reads of one, the other has, too."""
    frame = pd.DataFrame({"size": np.arange(30.0), "shape": ["round", "long", "flat"] * 10})
    where = {"journal": tmp_path / "kind.journal", "classes": ["a", "b"]}
    with semigen.labeling.Session.open(frame, target="kind", learn=False, **where) as real:
        fake = FakeSession(classes=["a", "b"])
        for session in (real, fake):
            session.answer("Ben", session.item("Ben")["key"], classes=["a"])
        assert set(fake.state("Ana")) <= set(real.state("Ana"))
        assert set(fake.item("Ana")) == set(real.item("Ana"))
        assert set(fake.item("Ana")["content"]) == set(real.item("Ana")["content"])
        for what in ("classes", "people"):
            assert set(fake.state("Ana")[what][0]) == set(real.state("Ana")[what][0])
        of_fake, of_real = fake.item("Ana")["content"]["cells"], real.item("Ana")["content"]["cells"]
        assert set(of_fake[0]) == set(of_real[0])
        assert all(0 <= one["percentile"] <= 100 for one in (of_fake[0], of_real[0]))


def test_every_word_is_said_and_none_is_missing():
    folder = Path(server.__file__).parent
    files = [*folder.glob("*.py"), *folder.glob("static/*.js"), *folder.glob("templates/*.html")]
    text = "\n".join(path.read_text() for path in files)
    said = set(re.findall(r"""\b(?:say\(|WORDS\[|words\[)"(\w+)"|\bwords\.(?!json|map)(\w+)""", text))
    said = {one or other for one, other in said}
    listed = set(re.findall(r'"(\w+)"', text))  # names that are chosen from a list
    assert said <= set(WORDS)
    assert set(WORDS) <= said | listed


def test_hosts():
    assert all(map(is_loopback, ("127.0.0.1", "::1", "localhost", "127.8.8.8")))
    assert not any(map(is_loopback, ("0.0.0.0", "192.168.1.5", "example.org", "localhost.evil.example")))
    public = Gate(host="0.0.0.0", port=80)
    assert public.answers_to("192.168.1.5:80")  # a number: no stranger's DNS has given it
    assert public.answers_to(socket.gethostname())
    assert not public.answers_to("evil.example")
    assert not Gate(host="127.0.0.1", port=80).answers_to("192.168.1.5")
    assert Gate(host="example.org", port=80).answers_to("example.org")
    assert Gate(host="::1", port=80).url().startswith("http://[::1]:80/?token=")


def test_serve_says_where_warns_and_stops(monkeypatch):
    session, said = FakeSession(), []
    monkeypatch.setattr("uvicorn.Server.run", lambda *_, **__: None)
    monkeypatch.setattr(server.webbrowser, "open", lambda url: said.append(f"opened {url}"))
    serve(session, host="0.0.0.0", tell=said.append)
    assert "0.0.0.0 can be reached from other computers" in said[0]
    assert "/?token=" in said[1]
    assert said[-1] == "Stopped. Everything is saved."
    said.clear()
    serve(session, open_browser=False, tell=said.append)
    assert len(said) == 3
    assert all("\n" not in line for line in said)
    with pytest.raises(ParameterError, match="no address of this computer"):
        Page(session, host="no such host")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ParameterError, match="port=0 takes a free one"):
            Page(session, port=taken.getsockname()[1])
    monkeypatch.setattr(server.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"semigen\[label\]"):
        Page(session)


texts = st.text(st.characters(), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
NAMES = ("person", "key", "classes", "unsure", "skip", "note", "name")
bodies = st.dictionaries(
    st.sampled_from(NAMES), values | st.sampled_from(["k1", "Ana", "Adelie", ["Adelie"]])
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    action=st.sampled_from(["answer", "undo", "class"]),
    body=bodies.map(lambda one: json.dumps(one).encode()) | st.binary(max_size=60),
)
def test_no_body_makes_it_fail(client, action, body):
    assert client("POST", f"/api/{action}", body)[0] in (200, 400)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "POST", "get", "BREW"]),
    path=st.sampled_from(["/", "/api/view", "/api/image", "/static/", "/api/events/", "//"]),
    rest=st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=12),
    cookie=st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=12),
    signed=st.booleans(),
)
def test_no_address_makes_it_fail(client, method, path, rest, cookie, signed):
    line = f"{method} {path}?person={rest}&key={rest}&token={rest} HTTP/1.1\r\n"
    cookies = f"{cookie}; {client.cookie}" if signed else cookie
    request = f"{line}Host: {client.host}\r\nCookie: {cookies}\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", client.port), timeout=20) as wire:
        wire.sendall(request.encode("latin-1"))
        status = wire.recv(12)
    assert status[9:10] in (b"2", b"4"), status


def test_many_at_once(opened):
    client = opened(FakeSession([table_item(row) for row in range(200)]))
    statuses = []

    def work(person):
        for _ in range(20):
            key = client.json("GET", f"/api/view?person={person}")[1]["item"]["key"]
            body = {"person": person, "key": key, "classes": ["Adelie"]}
            statuses.append(client("POST", "/api/answer", body)[0])

    threads = [threading.Thread(target=work, args=(f"p{k}",)) for k in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert statuses == [200] * 80


@pytest.mark.long
def test_an_annotator_who_errs_teaches_a_model_over_http(opened, tmp_path, rng):
    table = bundled_table("iris", 5, 0)
    truth = [str(name) for name in table.y_true]
    classes = sorted(set(truth))
    frame = pd.DataFrame(table.X, columns=list(table.feature_names))
    session = semigen.labeling.Session.open(
        frame, target="species", classes=classes, journal=tmp_path / "iris.journal", time_budget=1.0
    )
    client = opened(session)
    view = client.json("GET", "/api/view?person=Ana")[1]
    n_wrong = 0
    for k in range(60):
        right = truth[view["item"]["row"]]
        others = [name for name in classes if name != right]
        wrong = rng.random() < 0.1
        n_wrong += wrong
        body = {"person": "Ana", "key": view["item"]["key"], "classes": [others[k % 2] if wrong else right]}
        status, view = client.json("POST", "/api/answer", body)
        assert status == 200
        if k % 12 == 11:
            assert session.settle(60)
    assert n_wrong >= 3
    state = client.json("GET", "/api/view?person=Ana")[1]["state"]
    assert state["n_labeled"] >= 50
    assert state["fit"]["n"] == state["n_labeled"]
    assert state["honest"]["n"] >= 8
    model = semigen.MixtureClassifier().fit(frame, session.evidence())
    assert np.mean(model.predict(frame) == np.array(truth)) > 0.88
