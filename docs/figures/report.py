"""Draw docs/_static/report.png, the top of a report: ``make docs``, then ``python docs/figures/report.py``.

Needs Playwright's package and chromium. The report is the one that the documentation links to.
"""

import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

DOCS = Path(__file__).parents[1]


def main():
    """Write the picture."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1180, "height": 840}, color_scheme="light")
        page.goto((DOCS / "_build/html/_static/example_report.html").as_uri())
        page.screenshot(path=DOCS / "_static/report.png")
        browser.close()


if __name__ == "__main__":
    main()
