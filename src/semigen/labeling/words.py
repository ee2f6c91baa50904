"""The English of the page, in one file: ``templates/words.json``."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

WORDS: dict[str, Any] = json.loads(
    (files("semigen.labeling") / "templates" / "words.json").read_text(encoding="utf-8")
)
"""What the page says, by name: ``{n}`` and the like are filled in; some have a form for one."""
