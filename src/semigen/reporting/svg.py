"""Figures of matplotlib as elements of a page: its fonts, its colors, light or dark."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ElementTree
from typing import Any

INK, MUTED, LINE = "#010203", "#010204", "#010205"
CLASS_COLORS = tuple(f"#0102{one:02x}" for one in range(16, 24))
"""Stand-ins that become variables of the page's style sheet, so that figures follow its colors."""
_VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    **{color: f"var(--c{k})" for k, color in enumerate(CLASS_COLORS)},
}

_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_FONT_FAMILY = re.compile(r"font-family: [^;]*;? ?|(?<=font: )([\d.]+px) [^;]*")


def as_svg(figure: Any, name: str, alt: str) -> str:
    """A figure as an ``<svg>`` element of its own ids, with the page's fonts and colors."""
    from matplotlib import rc_context

    text = io.StringIO()
    with rc_context({"svg.hashsalt": name}):
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    ElementTree.register_namespace("", _SVG)
    root = ElementTree.fromstring(text.getvalue())
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}style", f"{{{_SVG}}}metadata"):
                parent.remove(child)
        _share_style(parent)
    for element in root.iter():
        _tidy(element)
    size = [float(root.attrib.pop(side).removesuffix("pt")) for side in ("width", "height")]
    root.attrib |= {"role": "img", "aria-label": alt, "class": f"drawing {name}"}
    root.set("style", f"max-width: {size[0] * 4 / 3:.0f}px")
    return ElementTree.tostring(root, encoding="unicode")


def _share_style(group: ElementTree.Element) -> None:
    """Give the style that all points of a group have to the group."""
    points = [one for one in group if one.tag == f"{{{_SVG}}}use"]
    styles = {one.get("style", "") for one in points}
    if len(points) > 1 and len(points) == len(group) and len(styles) == 1:
        group.set("style", styles.pop())
        for one in points:
            one.attrib.pop("style", None)


def _tidy(element: ElementTree.Element) -> None:
    """Drop ids that only name things, shorten numbers, and take fonts and colors from the page."""
    identity = element.get("id", "")
    if identity.startswith(_POINTS):
        element.set("data-points", identity.removeprefix(_POINTS).strip())
    if identity and not _REFERRED.fullmatch(identity):
        del element.attrib["id"]
    if f"{{{_XLINK}}}href" in element.attrib:
        element.set("href", element.attrib.pop(f"{{{_XLINK}}}href"))
        for side in ("x", "y"):
            element.set(side, f"{float(element.get(side, 0)):.1f}")
    style = element.get("style")
    if style is not None:
        style = _FONT_FAMILY.sub(lambda found: f"{found[1] or ''}", style)
        style = style.replace("font: ", "font-size: ")
        for stand_in, variable in _VARIABLES.items():
            style = style.replace(stand_in, variable)
        element.set("style", style)


_POINTS = "points"
_REFERRED = re.compile(r"[mpC][\w]*[0-9a-f]{6,}\w*")
"""Ids of markers and clips, which others refer to."""
