"""Runs in the sandbox: cut the sheet of paper away on which Draw has laid a picture.

Draw marks what it drew by invisible rectangles of the class BoundingBox, in hundredths of a millimetre. Their union
is the picture.
"""

from __future__ import annotations

from pathlib import Path

from lxml import etree

from filewright.chassis.sandbox.child import Refusal, Report

_RECTANGLES = etree.XPath("//svg:rect[@class='BoundingBox']", namespaces={"svg": "http://www.w3.org/2000/svg"})


def crop(drawing: str, report: Report) -> None:
    """Let the drawing show its picture and nothing else. Refuses a drawing without one."""
    path = Path(drawing)
    tree = etree.parse(path, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True))
    boxes = [[float(box.get(name, "0")) for name in ("x", "y", "width", "height")] for box in _RECTANGLES(tree)]
    boxes = [box for box in boxes if box[2] > 0 and box[3] > 0]
    if not boxes:
        raise Refusal("corrupt_input")
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    width = max(box[0] + box[2] for box in boxes) - left
    height = max(box[1] + box[3] for box in boxes) - top
    root = tree.getroot()
    root.set("viewBox", f"{left:g} {top:g} {width:g} {height:g}")
    root.set("width", f"{width / 100:g}mm")
    root.set("height", f"{height / 100:g}mm")
    tree.write(path, xml_declaration=True, encoding="UTF-8")
