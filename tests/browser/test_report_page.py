"""The page of a report in a real browser."""

import numpy as np
import pandas as pd
import pytest

import semigen
from semigen.datasets import bundled_table

WIDTHS = (1280, 390)
FIGURES = {"scores", "map", "columns", "reliability", "importance"}


class Advice:
    """What the page shows of advice, with a label that only its models doubt."""

    def __init__(self, row):
        self.row = row

    def to_dict(self):
        said = {"kind": "hybrid", "estimator": "Hybrid()", "reason": "Many columns.", "sentence": None}
        findings = [("path of λ", "warning", []), ("labels that look wrong", "caution", [{"row": self.row}])]
        return {
            "sentence": "Use the rows.",
            "recommendation": said,
            "findings": [
                {"name": name, "severity": severity, "sentence": "See here. " * 9, "evidence": {"rows": rows}}
                for name, severity, rows in findings
            ],
        }


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A report with every part: an ensemble on a real table, one of whose columns has hostile values."""
    table = bundled_table("iris", 8, 0)
    frame = pd.DataFrame(table.X, columns=["<script>alert(1)</script>", "y" * 300, "petal", "width"])
    frame["kind"] = np.where(table.X[:, 0] > 5.8, "<img src=x onerror=alert(1)>", "price\u202egnp.exe")
    model = semigen.AutoClassifier(n_mixtures=4, n_jobs=1).fit(frame, table.y)
    place = tmp_path_factory.mktemp("report") / "report.html"
    advice = Advice(next(row for row, label in enumerate(table.y) if label is not None))
    semigen.report(model, frame, table.y, place, target="species", advice=advice)
    return place


@pytest.fixture
def opened(visit, path):
    return lambda *how: visit(path.as_uri(), *how)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_is_quiet_whole_and_accessible(opened, serious, tmp_path, path, width, scheme):
    page, said, asked = opened(width, scheme)
    shown = page.evaluate("[...document.querySelectorAll('figure svg[role=img]')].map(s => s.classList[1])")
    assert set(shown) >= FIGURES
    boxes = page.evaluate(
        "[...document.querySelectorAll('figure svg')].map(s => s.getBoundingClientRect().height)"
    )
    assert min(boxes) > 100
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=tmp_path / "page.png", full_page=True)
    assert (tmp_path / "page.png").stat().st_size > 50_000
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert not serious(page)
    assert said == []
    assert asked == [path.as_uri()]


def test_findings_are_read_on_a_phone_without_moving_them(opened):
    page, _, _ = opened(390)
    assert page.evaluate(
        "(t => t.scrollWidth <= t.parentElement.clientWidth)(document.querySelector('.findings'))"
    )
    assert page.locator("#suspicious ~ .scroll td").last.inner_text() == "advice"


def test_the_threshold_moves_by_keyboard(opened):
    page, said, _ = opened()
    results = page.locator("#threshold-results")
    page.locator("#threshold").focus()
    assert "from a probability of 50 %" in results.inner_text()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert "from a probability of 53 %" in results.inner_text()
    page.keyboard.press("End")
    assert "from a probability of 100 %" in results.inner_text()
    assert "8 of 8 missed" in results.inner_text()
    page.locator("#cost-miss").fill("50")
    cost = float(results.locator("dd b").nth(2).inner_text())
    assert cost == pytest.approx(50 * 8 / 24, abs=1e-3)
    page.locator("#cheapest").click()
    assert float(results.locator("dd b").nth(2).inner_text()) < cost
    assert said == []


def test_tables_sort_and_the_map_says_what_is_under_the_pointer(opened):
    page, said, _ = opened()
    head = page.locator("#uncertain ~ .scroll table").first.locator("th button", has_text="probability")
    cells = page.locator("#uncertain ~ .scroll table").first.locator("tbody tr td:nth-child(3)")
    before = cells.all_inner_texts()
    head.click()
    head.click()
    after = [float(text.split()[0]) for text in cells.all_inner_texts()]
    assert after == sorted(after, reverse=True)
    assert sorted(before) == sorted(cells.all_inner_texts())
    page.locator("#figure-map").scroll_into_view_if_needed()
    page.locator("#figure-map [data-points] use").first.hover(force=True)
    tip = page.locator("#tip")
    assert tip.is_visible()
    assert "predicted" in tip.inner_text()
    assert said == []


def test_hostile_names_are_text(opened):
    page, said, _ = opened()
    assert page.locator("img").count() == 0
    text = page.locator("body").inner_text()
    assert "<script>alert(1)</script>" in text
    assert "y" * 300 in page.locator("body").text_content()
    assert "\u202e" not in page.content()
    assert said == []
