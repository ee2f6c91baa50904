"""The labeling page in a real browser: by keyboard, on a phone, in several tabs, with hostile data."""

import os
import re
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import pytest

import semigen
from labeling_fake import FakeSession, table_item
from semigen.datasets import bundled_table
from semigen.labeling.server import Page

HOSTILE = [
    "<script>document.title = 'run'</script>",
    "<img src=x onerror=\"document.title = 'run'\">",
    "{{ 7 * 7 }} ${7 * 7}",
    "price\u202egnp.exe",
    "'\"></p><svg onload=alert(1)>",
    "__proto__",
]
FACTS = {
    "fit": {"n": 34, "seconds": 2.3},
    "curve": [{"n": n, "accuracy": 0.6 + n / 100, "low": 0.5 + n / 100, "high": 0.9} for n in (10, 20, 30)],
    "honest": {"accuracy": 0.9, "low": 0.74, "high": 0.97, "n": 28},
    "forecast": "20 more labels: about +3 points.",
    "verdict": "The unlabeled rows help.",
    "stop": "You can stop: in the last 3 refits at most 1 % of the predictions changed.",
    "people": [{"name": "Ana", "n": 20, "agreement": 0.95}, {"name": "Ben", "n": 14, "agreement": 0.95}],
    "disagreements": [{"row": 17, "key": "k17", "answers": {"Ana": ["Adelie"], "Ben": ["Gentoo"]}}],
}
TEXT = {
    "kind": "text",
    "text": "It came late.\n\nSupport was friendly <b>and</b> quick.",
    "words": [
        {"word": "late", "class": "Adelie", "weight": 2.0},
        {"word": "Friendly", "class": "Gentoo", "weight": 1.0},
    ],
    "cells": [],
}
IMAGE = {"kind": "image", "name": "<b>one</b>\u202egnp.exe", "cells": []}


@pytest.fixture
def served(visit):
    """Serve a session, open its page, and see at the end that it was quiet and asked nobody else."""
    pages, opened = [], []

    def serve(session, person="Ana", **how):
        pages.append(Page(session, person=person))
        pages[-1].start()
        return also(pages[-1].url, **how)

    def also(url, **how):
        one = visit(url, **how)
        one.page.wait_for_selector("#classes > *")
        opened.append(one)
        return one.page

    def refused(page):
        (said,) = [one.said for one in opened if one.page is page]
        return "400 (Bad Request)" in said.pop()

    serve.also, serve.refused = also, refused
    yield serve
    hosts = tuple(f"http://127.0.0.1:{page.port}/" for page in pages)
    for one in opened:
        assert one.said == []
        assert all(url.startswith(hosts) for url in one.asked)
    for page in pages:
        page.stop()


def title(page):
    return page.locator("#item-title").inner_text()


def press(page, *keys):
    """Press keys, each after the page has shown what the one before led to."""
    for key in keys:
        before = page.locator("#live").inner_text() + title(page)
        page.keyboard.press(key)
        page.wait_for_function(
            "before => document.getElementById('live').innerText"
            " + document.getElementById('item-title').innerText !== before",
            arg=before,
        )


def test_rows_are_labeled_by_keyboard(served):
    session = FakeSession()
    page = served(session)
    assert page.url.endswith("/?person=Ana")
    assert title(page) == "Row 0"
    press(page, *("123" * 4))
    assert title(page) == "Row 12"
    given = [session.answers["Ana", f"k{row}"]["classes"] for row in range(12)]
    assert given == [["Adelie"], ["Chinstrap"], ["Gentoo"]] * 4
    assert page.locator("#of-rows").inner_text() == "12 of 60 rows are labeled"
    assert page.locator("#live").inner_text().startswith("Saved: Gentoo. Row 12. Its class is open")
    press(page, "0", "s")
    assert session.answers["Ana", "k12"]["unsure"]
    assert session.answers["Ana", "k13"]["skip"]
    press(page, "u")
    assert title(page) == "Row 13"
    page.keyboard.press("9")  # no class has it
    page.keyboard.press("Control+1")
    page.keyboard.press("n")
    page.keyboard.type("3 of them look alike")
    page.keyboard.press("Enter")
    press(page, "2")
    assert session.answers["Ana", "k13"] == {
        "classes": ["Chinstrap"], "unsure": False, "skip": False, "note": "3 of them look alike"
    }  # fmt: skip
    assert page.locator("#note-field").is_hidden()
    press(page, "2", "u")
    assert session.answers["Ana", "k13"]["note"] == "3 of them look alike"
    press(page, "3")
    assert session.answers["Ana", "k14"]["note"] == ""
    page.locator("summary", has_text="Keys").click()
    page.locator("#keys").uncheck()
    page.locator("h1").click()
    page.keyboard.press("1")
    page.reload()
    page.wait_for_selector(".choice")
    page.keyboard.press("1")
    assert title(page) == "Row 15"
    assert page.evaluate("document.cookie") == ""


def test_either_or_and_a_new_class(served):
    session = FakeSession()
    page = served(session)
    page.keyboard.press("Shift+1")
    page.keyboard.press("3")
    assert page.locator("#send").inner_text() == "Send: Adelie or Gentoo"
    assert page.locator("#classes-title").inner_text() == "Which classes may it be?"
    page.keyboard.press("Escape")
    assert page.locator("#send").is_hidden()
    page.keyboard.press("e")
    page.keyboard.press("1")
    page.keyboard.press("2")
    page.keyboard.press("1")
    page.keyboard.press("3")
    assert page.locator("[aria-pressed=true]").all_inner_texts()[:2] == [
        "2\nChinstrap\n20 %",
        "3\nGentoo\n10 %",
    ]
    press(page, "Enter")
    assert session.answers["Ana", "k0"]["classes"] == ["Chinstrap", "Gentoo"]
    page.locator(".choice").nth(0).click(modifiers=["Shift"])  # which has the focus now
    page.locator(".choice").nth(1).click()
    press(page, "Enter")
    assert session.answers["Ana", "k1"]["classes"] == ["Adelie", "Chinstrap"]
    page.keyboard.press("c")
    page.keyboard.type("Puffin 1")
    press(page, "Enter")
    assert page.locator("#live").inner_text().startswith("Puffin 1 is now a class: key 4.")
    assert title(page) == "Row 2"
    press(page, "4")
    assert session.answers["Ana", "k2"]["classes"] == ["Puffin 1"]
    page.keyboard.press("c")
    page.keyboard.type("Puffin 1")
    press(page, "Enter")
    assert page.locator("#live").inner_text() == "Not saved: 'Puffin 1' is a class already."
    assert served.refused(page)


def test_reload_back_tabs_and_people(served):
    session = FakeSession()
    first = served(session)
    press(first, "1", "2")
    first.reload()
    first.wait_for_selector(".choice")
    assert title(first) == "Row 2"
    first.goto("about:blank")
    first.go_back()
    first.wait_for_selector(".choice")
    assert title(first) == "Row 2"
    second = served.also(first.url, beside=first)
    press(second, "3")
    first.wait_for_function("() => document.getElementById('item-title').innerText === 'Row 3'")
    assert first.locator("#live").inner_text().startswith("This item was answered elsewhere.")
    second.locator("#person").fill("Ben & Co")
    second.locator("#person").press("Enter")
    second.wait_for_url("**/?person=Ben*")
    second.wait_for_selector(".choice")
    assert title(second) == "Row 0"
    press(second, "2")
    first.wait_for_function("() => document.getElementById('people').innerText.includes('Ben & Co')")
    assert title(first) == "Row 3"
    assert session.answers["Ben & Co", "k0"]["classes"] == ["Chinstrap"]
    assert session.answers["Ana", "k0"]["classes"] == ["Adelie"]


def test_keys_for_an_item_that_is_not_there_yet_are_dropped(served):
    session = FakeSession()
    page = served(session)
    page.evaluate(
        "for (let i = 0; i < 5; i++) document.body.dispatchEvent("
        "new KeyboardEvent('keydown', {key: '1', code: 'Digit1', bubbles: true}))"
    )
    page.wait_for_function("() => document.getElementById('item-title').innerText !== 'Row 0'")
    page.wait_for_timeout(50)
    assert len(session.order) == 1


def test_blind_hides_what_the_model_thinks(served):
    page = served(FakeSession(blind=True, **FACTS))
    assert "%" not in page.locator("#classes").inner_text()
    assert page.locator("#classes .meter:visible").count() == 0
    assert "what the model thinks is not shown" in page.locator("#fit").inner_text()
    seen = served(FakeSession())
    assert seen.locator("#classes").inner_text().count("%") == 3


def test_without_a_class_and_without_an_item(served):
    session = FakeSession([table_item(0)], classes=())
    page = served(session)
    assert "There is no class yet" in page.locator("#classes").inner_text()
    page.locator("#name").fill("first")
    press(page, "Enter", "1")
    assert title(page) == "Nothing left to label"
    assert page.locator("#undo").is_visible()
    assert page.locator("#classes").is_hidden()
    page.keyboard.press("1")
    press(page, "u")
    assert title(page) == "Row 0"


def test_many_classes_are_found_by_name(served):
    session = FakeSession(classes=[f"kind {k}" for k in range(40)])
    page = served(session)
    page.keyboard.press("f")
    page.keyboard.type("kind 31")
    press(page, "Enter")
    assert session.answers["Ana", "k0"]["classes"] == ["kind 31"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_whole_and_accessible(served, serious, width, scheme):
    contents = [table_item(4), TEXT, IMAGE, table_item(3)]
    page = served(
        FakeSession(contents, trouble="The model could not learn.", **FACTS), width=width, scheme=scheme
    )
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    page.keyboard.press("n")
    page.keyboard.press("Escape")
    assert not serious(page)
    for _ in contents:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        box = page.locator(".choice").first.bounding_box()
        assert box["y"] + box["height"] <= 900  # the classes are in sight, however long the item
        press(page, "1")
        if (width, scheme) == (390, "light") and page.locator("#content .text, #content img").count():
            assert not serious(page)
    assert page.locator("#stop h2").inner_text() == "You can stop"
    label = page.locator("#curve svg").get_attribute("aria-label")
    assert label == (
        "Held-out accuracy: 70 % with 10 labels, 90 % with 30 labels (95 % interval 80 to 90 %)."
    )


def test_words_are_marked_and_images_shown(served):
    page = served(FakeSession([TEXT, IMAGE]))
    assert page.locator("mark").all_inner_texts() == ["late1", "friendly3"]
    assert "friendly3 <b>and</b> quick" in page.locator(".text").inner_text()
    assert page.locator(".legend li").all_inner_texts() == ["1 Adelie", "3 Gentoo"]
    press(page, "1")
    page.wait_for_function("() => document.querySelector('#content img').naturalWidth === 1")
    assert title(page) == "<b>one</b>\\u202egnp.exe"


@pytest.mark.parametrize("width", [1280, 390])
def test_rare_levels_and_numbers_at_the_ends_are_unusual_and_nothing_else(served, width):
    marks = [(0.0, False), (50.0, False), (99.9, False), (None, False), (None, True)]
    cells = [
        {"name": f"member since {k}", "value": "4", "percentile": at, "rare": rare}
        for k, (at, rare) in enumerate(marks)
    ]
    page = served(FakeSession([{"kind": "table", "cells": cells}]), width=width)
    shown = page.locator(".cells > div")
    assert [one.locator(".rare").count() for one in shown.all()] == [1, 0, 1, 0, 1]
    for one in shown.filter(has=page.locator(".rare")).all():  # the name ends before the mark begins
        name, mark = one.locator("dt"), one.locator(".rare").bounding_box()
        inside = name.evaluate(
            "e => { const r = document.createRange(); r.selectNodeContents(e);"
            " return r.getBoundingClientRect().right; }"
        )
        assert inside <= mark["x"]


def test_hostile_data_is_shown_and_not_run(served):
    names = [f"{one} {k}" for k, one in enumerate(HOSTILE)]
    cells = [
        {"name": one, "value": one, "percentile": None, "rare": True}
        for one in [*HOSTILE, "x" * 5000, "\ud800"]
    ]
    session = FakeSession(
        [{"kind": "table", "cells": cells}, {**TEXT, "text": " ".join(HOSTILE)}],
        classes=names,
        disagreements=[{"row": 1, "key": "k1", "answers": {HOSTILE[0]: [HOSTILE[1]]}}],
        stop=HOSTILE[0],
        target=HOSTILE[1],
    )
    page = served(session)
    text = page.locator("body").inner_text()
    for one in HOSTILE:
        assert one.replace("\u202e", "\\u202e") in text
    assert "\u202e" not in page.content()
    assert "\\ud800" in text
    assert page.locator("body script:not(#words), body img, body svg:not([role=img])").count() == 0
    press(page, "4")
    assert session.answers["Ana", "k0"]["classes"] == [names[3]]
    assert HOSTILE[0] in page.locator(".text").inner_text()
    assert page.title().startswith("Label ")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_what_is_chosen_stays_when_the_model_has_learned(served):
    session = FakeSession()
    page = served(session)
    page.keyboard.press("e")
    session.add_class("Ben", "Rockhopper")
    page.wait_for_function("() => document.querySelectorAll('.choice').length === 4")
    page.keyboard.press("2")
    session.answer("Ben", "k0", classes=["Gentoo"])
    page.wait_for_function("() => document.getElementById('of-rows').innerText.startsWith('1 of')")
    page.keyboard.press("4")
    press(page, "Enter")
    assert session.answers["Ana", "k0"]["classes"] == ["Chinstrap", "Rockhopper"]


def test_the_page_says_when_the_server_is_gone(visit):
    page = Page(FakeSession(), person="Ana")
    page.start()
    one = visit(page.url).page
    one.wait_for_selector(".choice")
    page.stop()
    one.wait_for_selector("#gone:visible")
    assert "All answers up to here are saved" in one.locator("#gone").inner_text()
    one.keyboard.press("1")
    assert title(one) == "Row 0"


def test_a_notebook_shows_it_in_a_frame(visit):
    """Of another site than the page's: browsers keep strict cookies from it."""
    session = FakeSession()
    page = Page(session, framed=True)
    page.start()
    html = f'<!DOCTYPE html><iframe src="{page.url}" width="1000" height="800"></iframe>'

    class Notebook(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Notebook) as notebook:
        threading.Thread(target=notebook.serve_forever, daemon=True).start()
        one = visit(f"http://localhost:{notebook.server_port}/")
        frame = one.page.frame_locator("iframe")
        frame.locator(".choice").nth(1).click()
        frame.locator("#item-title", has_text="Row 1").wait_for()
        frame.locator("body").press("3")
        frame.locator("#item-title", has_text="Row 2").wait_for()
        notebook.shutdown()
    assert [one["classes"] for one in session.answers.values()] == [["Chinstrap"], ["Gentoo"]]
    assert [text for text in one.said if "favicon" not in text and "404" not in text] == []
    page.stop()


TRUTH = [str(name) for name in bundled_table("iris", 5, 0).y_true]
KEYS = {name: str(k) for k, name in enumerate(sorted(set(TRUTH)), start=1)}
PROGRAM = """
import sys
from semigen.labeling import Session
from semigen.labeling.server import serve
if __name__ == "__main__":
    session = Session.open("iris.csv", target="species", classes=sys.argv[1].split(","), time_budget=1.0)
    serve(session, person="Ana", open_browser=False, tell=lambda text: print(text, flush=True))
"""


@pytest.fixture
def program(tmp_path):
    """Start a program that serves a session of a table, and say where; killed at the end."""
    table = bundled_table("iris", 5, 0)
    pd.DataFrame(table.X, columns=list(table.feature_names)).to_csv(tmp_path / "iris.csv", index=False)
    (tmp_path / "program.py").write_text(PROGRAM)
    running = []

    def start():
        command = [sys.executable, "program.py", ",".join(KEYS)]
        here = {**os.environ, "PYTHONPATH": str(Path(semigen.__file__).parents[1])}
        running.append(subprocess.Popen(command, cwd=tmp_path, env=here, stdout=subprocess.PIPE, text=True))
        return running[-1], re.search(r"http://\S+", running[-1].stdout.readline())[0]

    yield start
    for one in running:
        one.kill()
        one.wait()
        one.stdout.close()


def right_key(page):
    return KEYS[TRUTH[int(title(page).split()[1])]]


def test_a_real_session_is_killed_and_goes_on(program, visit):
    process, url = program()
    page = visit(url).page
    page.wait_for_selector(".choice")
    for _ in range(5):
        press(page, right_key(page))
    process.kill()
    page.wait_for_selector("#gone:visible")
    process, url = program()
    one = visit(url)
    one.page.wait_for_selector(".choice")
    assert one.page.locator("#of-rows").inner_text() == "5 of 150 rows are labeled"
    press(one.page, right_key(one.page), "u")
    assert one.page.locator("#of-rows").inner_text() == "5 of 150 rows are labeled"
    assert one.said == []
    process.send_signal(signal.SIGINT)
    assert "Stopped. Everything is saved." in process.stdout.read()
    assert process.wait(10) == 0


@pytest.mark.long
def test_forty_rows_are_labeled_while_a_model_learns(program, visit):
    _, url = program()
    one = visit(url)
    page = one.page
    page.wait_for_selector(".choice")
    for k in range(40):
        press(page, right_key(page))
        if k % 10 == 9:
            page.wait_for_timeout(3000)  # as long as a refit
    assert 36 <= int(page.locator("#of-rows").inner_text().split()[0]) <= 40  # some labels are checked
    page.wait_for_function("() => /^Learned from/.test(document.getElementById('fit').innerText)")
    assert page.locator("#classes").inner_text().count("%") == 3
    assert page.locator("#neighbors tbody tr").count() == 3
    page.wait_for_function("() => document.getElementById('says').innerText.includes('20 more labels')")
    assert one.said == []
