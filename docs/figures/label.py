"""Draw the pictures of the labeling page: ``python docs/figures/label.py`` (a minute or two).

Needs Playwright's package, chromium and Pillow. Real sessions on a real table and on made-up messages are
labeled by keyboard, with the truth as the person; docs/_static/label_walk.png is the animated walk (an APNG).
"""

import itertools
import shutil
import tempfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from playwright.sync_api import sync_playwright

from semigen.datasets import bundled_table
from semigen.labeling import Session
from semigen.labeling.server import Page

STATIC = Path(__file__).parent.parent / "_static"
NAMES = {"class_0": "Barolo", "class_1": "Grignolino", "class_2": "Barbera"}
WIDE, PHONE = {"width": 1180, "height": 900}, {"width": 390, "height": 780}
WALK, SCALE = {"width": 1240, "height": 900}, 0.8
FRAME = (992, 720)
CAPTION = 52
MOST_BYTES = 1_500_000

OPENINGS = ["Hello,", "Dear team,", "Hi there,", "Good morning,"]
MATTERS = {
    "delivery": [
        "my parcel has not arrived yet and the tracking has not moved since Monday.",
        "the courier left the parcel at a neighbor whom I do not know.",
        "the delivery came two days late, and the box was wet.",
        "where is my order? The tracking number is unknown to the courier.",
    ],
    "payment": [
        "I was charged twice for one order, please refund one of the payments.",
        "the invoice has the wrong address, and my card was charged before shipping.",
        "my voucher was not taken off the invoice.",
        "when will the refund reach my card? The invoice says last week.",
    ],
    "quality": [
        "the zip of the jacket broke on the first day.",
        "the color is not that of the picture, and a seam is open.",
        "the jacket smells of paint and the fabric is thin.",
        "after one wash the color has faded and the zip is stuck.",
    ],
}
CLOSINGS = ["Thanks in advance.", "I am disappointed.", "Please help.", "Otherwise I am happy with you."]


def wine():
    """The wines, their columns as a person would write them, and the true cultivars."""
    table = bundled_table("wine", 5, 0)
    names = [
        name.replace("_", " ").replace("od280/od315 of diluted wines", "OD280/OD315")
        for name in table.feature_names
    ]
    return pd.DataFrame(table.X, columns=names), [NAMES[str(one)] for one in table.y_true]


def messages():
    """Messages of customers, and what they are about."""
    found = [
        (f"{opening} {first} {second} {closing}", matter)
        for matter, sentences in MATTERS.items()
        for opening, closing in itertools.product(OPENINGS, CLOSINGS)
        for first, second in itertools.permutations(sentences, 2)
    ]
    some = [found[i] for i in np.random.default_rng(0).permutation(len(found))[:300]]
    return pd.DataFrame({"message": [text for text, _ in some]}), [matter for _, matter in some]


class Person:
    """Somebody who knows the truth, at a page."""

    def __init__(self, page, session, truth, classes):
        self.page, self.session, self.truth, self.classes = page, session, truth, classes

    def label(self, n, learn=True):
        """Answer the next items, and let the model learn from them."""
        for _ in range(n):
            title = self.page.locator("#item-title").inner_text()
            row = int(title.split()[1])
            self.page.keyboard.press(str(self.classes.index(self.truth[row]) + 1))
            self.page.wait_for_function(
                "was => document.getElementById('item-title').innerText !== was", arg=title
            )
        if learn:
            self.session.settle(60)
        self.page.wait_for_timeout(300)  # the page hears of it


def picture(page, name, **how):
    """Write a picture of few colors."""
    image = Image.open(BytesIO(page.screenshot(**how))).convert("RGB")
    image.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
        STATIC / name, optimize=True
    )


def opened(browser, session, viewport, scale=1):
    """Serve a session and open its page."""
    served = Page(session, person="Ana")
    served.start()
    page = browser.new_page(viewport=viewport, device_scale_factor=scale)
    page.goto(served.url)
    page.wait_for_selector(".choice")
    return served, page


class Walk:
    """The frames of the walk, each with a caption below."""

    def __init__(self, browser, page):
        self.page, self.frames, self.seconds = page, [], []
        self.captions = browser.new_page(viewport={"width": FRAME[0], "height": CAPTION})

    def show(self, caption, seconds):
        """Take a frame."""
        self.captions.set_content(
            "<body style='margin:0;background:#1f5fa8;color:#fff;font:600 20px/52px system-ui,sans-serif;"
            f"padding:0 24px'>{caption}</body>"
        )
        parts = [Image.open(BytesIO(one.screenshot())).convert("RGB") for one in (self.page, self.captions)]
        frame = Image.new("RGB", (FRAME[0], FRAME[1] + CAPTION))
        frame.paste(parts[0], (0, 0))
        frame.paste(parts[1], (0, FRAME[1]))
        self.frames.append(frame)
        self.seconds.append(seconds)

    def save(self, path):
        """Write an animated PNG with one palette for all frames."""
        height = FRAME[1] + CAPTION
        strip = Image.new("RGB", (FRAME[0], 6 * height))
        for k, i in enumerate(np.linspace(0, len(self.frames) - 1, 6).astype(int)):
            strip.paste(self.frames[i], (0, k * height))
        palette = strip.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        frames = [one.quantize(palette=palette, dither=Image.Dither.NONE) for one in self.frames]
        times = [round(1000 * one) for one in self.seconds]
        frames[0].save(path, save_all=True, append_images=frames[1:], duration=times, loop=0, optimize=True)
        print(path.name, len(frames), "frames", sum(self.seconds), "s", path.stat().st_size, "bytes")


def walk(browser, folder):
    """From no label to "you can stop", and the picture of the table on the way."""
    frame, truth = wine()
    classes = sorted(set(truth))
    session = Session.open(
        frame, target="cultivar", classes=classes, journal=folder / "wine.journal", time_budget=3.0
    )
    served, page = opened(browser, session, WALK, SCALE)
    person, film = Person(page, session, truth, classes), Walk(browser, page)
    page.wait_for_timeout(300)
    film.show("178 wines, no label. The first items cover the clusters of the table.", 6)
    for k in range(8):
        person.label(1, learn=k == 7)
        film.show("One key per answer. Every answer is saved at once.", 4 if k < 2 else 1.5)
    film.show("After a few labels there is a model: its probabilities are on the buttons.", 6)
    page.keyboard.press("Shift+1")
    film.show("Not sure which of two? Hold Shift …", 3)
    page.keyboard.press("Shift+3")
    film.show("… choose all that it may be, and press Enter. The model learns from that, too.", 5)
    page.keyboard.press("Escape")
    for k in range(12):
        person.label(1, learn=k % 6 == 5)
        film.show("It asks for what it is unsure of, and for some rows at random.", 4 if k == 0 else 1.5)
    film.show("Only the random rows tell honestly how good the model is: here with a 95 % interval.", 7)
    for k in range(12):
        person.label(1, learn=k % 6 == 5)
        film.show("It learns in the background. You never wait.", 1.5)
    for k in range(16):
        person.label(1, learn=k % 8 == 7)
        film.show("The forecast says what more labels would bring, and the page says when you can stop.", 1.5)
    state = session.state("Ana")
    film.show(state["stop"] or state["forecast"], 8)
    film.save(STATIC / "label_walk.png")
    print({key: state[key] for key in ("n_labeled", "honest", "forecast", "stop")})
    for name, viewport, scheme in (("label.png", WIDE, "light"), ("label_phone.png", PHONE, "dark")):
        context = browser.new_context(
            viewport=viewport, color_scheme=scheme, storage_state=page.context.storage_state()
        )
        still = context.new_page()
        still.goto(page.url)
        still.wait_for_selector(".choice")
        picture(still, name)
    served.stop()


def texts(browser, folder):
    """A text with the words that speak for each class."""
    frame, truth = messages()
    classes = sorted(set(truth))
    session = Session.open(
        frame, target="matter", text="message", classes=classes, journal=folder / "text.journal"
    )
    served, page = opened(browser, session, {"width": 1180, "height": 640})
    Person(page, session, truth, classes).label(24)
    picture(page, "label_text.png")
    served.stop()


def main():
    """Write the pictures."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        walk(browser, Path(folder))
        texts(browser, Path(folder))
        browser.close()
    for path in sorted(STATIC.glob("label*.png")):
        print(path.name, path.stat().st_size)
    if (STATIC / "label_walk.png").stat().st_size > MOST_BYTES:
        raise SystemExit("the walk is too large")


if __name__ == "__main__":
    main()
