"""Sphinx configuration. The build needs no network: nothing is fetched, and every example is executed."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import mathjax

sys.path.insert(0, str(Path(__file__).parent))
import warm

import semigen

project = "semigen"
author = "The semigen developers"
copyright = "2026, the semigen developers. BSD 3-clause license"
version = release = semigen.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["_build", "jupyter_execute"]
source_suffix = {".rst": "restructuredtext", ".md": "myst-nb"}

# Notebooks: executed at every build, in a temporary folder; an error in a cell fails the build.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [sys.path[0], os.environ.get("PYTHONPATH")]))
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# API pages: numpydoc docstrings; types stand in the docstrings.
napoleon_google_docstring = False
napoleon_custom_sections = [("Attributes", "params_style")]  # fitted ones keep their underscore
napoleon_use_rtype = False
autosummary_generate = False
autodoc_typehints = "none"
toc_object_entries_show_parents = "hide"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}

# Formulas: MathJax and its fonts come from the package django-static-mathjax, which needs no Django.
mathjax_path = "mathjax/tex-chtml-full.js"
mathjax3_config = {"chtml": {"displayAlign": "left", "displayIndent": "0"}}

html_theme = "pydata_sphinx_theme"
html_title = "semigen"
html_static_path = ["_static"]
html_css_files = ["semigen.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "semigen"},
    "navigation_with_keys": False,
    "header_links_before_dropdown": 7,
    "show_nav_level": 2,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"index": [], "glossary": [], "install": [], "tutorial": [], "changelog": []}


def _escape_fitted_names(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Keep ``n_iter_`` in the type of an attribute from being read as a reference."""
    for number, line in enumerate(lines):
        if re.match(r"\s*\w+ : ", line):
            lines[number] = re.sub(r"(?<=\w)_(?=[\s,)])(?!\s*:)", r"\\_", line)


def _copy_mathjax(app: Any, exception: Exception | None) -> None:
    """Put MathJax beside the pages, so that they show formulas without a network."""
    if exception is None and app.builder.format == "html":
        source = Path(mathjax.__file__).parent / "static/mathjax/es5"
        target = Path(app.outdir) / "_static/mathjax"
        fonts = "output/chtml/fonts/woff-v2"
        shutil.copytree(source / fonts, target / fonts, dirs_exist_ok=True)
        shutil.copy(source / "tex-chtml-full.js", target)


def _begin(app: Any, config: Any) -> None:
    """Start what the kernels are forked from, and tell a guide where to put the report that pages link to."""
    if hasattr(os, "fork"):
        process = warm.begin()
        app.connect("env-before-read-docs", lambda *_: process.stdout.readline(), priority=900)
        app.connect("build-finished", lambda *_: process.stdin.close())
    static = Path(app.outdir) / "_static"
    static.mkdir(parents=True, exist_ok=True)
    os.environ["SEMIGEN_DOCS_STATIC"] = str(static)


def _deal_pages(app: Any, env: Any, docnames: list[str]) -> None:
    """Let neighbors in the table of contents be read by different processes, since all guides are notebooks.

    Sphinx hands out consecutive pages, so one process would run nearly all notebooks.
    """
    apart = 12
    docnames[:] = [name for first in range(apart) for name in docnames[first::apart]]


def setup(app: Any) -> None:
    app.connect("config-inited", _begin)
    app.connect("env-before-read-docs", _deal_pages)
    app.connect("build-finished", _copy_mathjax)
    app.connect("autodoc-process-docstring", _escape_fitted_names, priority=400)  # before napoleon
