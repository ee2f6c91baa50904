"""A real browser for the tests of pages: Debian's chromium, driven by Playwright."""

import os
import shutil
from collections import namedtuple

import pytest

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

Opened = namedtuple("Opened", "page said asked")


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no chromium: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def visit(browser):
    """Open an address in a browser of its own, and write down what it says and asks for."""
    contexts = []

    def open_page(url, width=1280, scheme="light", beside=None):
        if beside is None:
            contexts.append(
                browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
            )
        page = (contexts[-1] if beside is None else beside.context).new_page()
        said, asked = [], []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(f"dialog {dialog.message}"))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(url)
        return Opened(page, said, asked)

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def serious(browser):
    """What axe finds on a page that keeps somebody from using it."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")

    def find(page):
        found = axe.Axe().run(page).response["violations"]
        grave = [one for one in found if one["impact"] in ("serious", "critical")]
        return [(one["id"], one["nodes"][0]["html"][:300]) for one in grave]

    return find
