"""Draw docs/_static/report.png, the top of a report: ``python docs/figures/report.py``.

Needs Playwright's package and chromium. The report is the one that the documentation links to.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))


def main():
    """Write the picture."""
    from example_report import write

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        path = Path(folder) / "report.html"
        write(path)
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1180, "height": 840}, color_scheme="light")
        page.goto(path.as_uri())
        page.screenshot(path=HERE.parent / "_static/report.png")
        browser.close()


if __name__ == "__main__":
    main()
