"""What a part of a page shows: a picture of it, and its texts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import FloatRect, Locator, Page

# The texts of a rectangle in the order of the document, a line for each block, and for each field its label and what is
# in it. A text counts if a part of it can be seen, which it cannot where it is scrolled out of sight or covered.
_TEXTS = """
area => {
    const isSeen = (box, element) => {
        const x = box.left + Math.min(box.width, 8) / 2, y = box.top + box.height / 2;
        if (!box.width || x < area.x || x > area.x + area.width || y < area.y || y > area.y + area.height)
            return false;
        return element.getRootNode().elementsFromPoint(x, y).slice(0, 3).some(found => element.contains(found));
    };
    const blockOf = element => {
        while (element.parentElement && getComputedStyle(element).display.startsWith("inline"))
            element = element.parentElement;
        return element;
    };
    const lines = [];
    let last = null;
    const add = (text, block) => {
        if (block !== last) lines.push([]);
        lines.at(-1).push(text.trim());
        last = block;
    };
    const addText = node => {
        if (!node.parentElement) return;
        const isWritten = getComputedStyle(node.parentElement).whiteSpace.startsWith("pre");
        let begin = 0;
        for (const part of isWritten ? node.data.split("\\n") : [node.data]) {
            if (begin) last = null;
            const range = document.createRange();
            range.setStart(node, begin);
            range.setEnd(node, begin + part.length);
            begin += part.length + 1;
            if (part.trim() && [...range.getClientRects()].some(box => isSeen(box, node.parentElement)))
                add(part, blockOf(node.parentElement));
        }
    };
    const addField = field => {
        const label = "▢ " + (field.labels?.[0]?.innerText ?? field.ariaLabel ?? "");
        if (field.type === "checkbox") add(`${label}: ${field.checked ? "on" : "off"}`, field);
        else if (field.type === "password" && field.value) add(`${label}: (dots)`, field);
        else if (field.value) add(`${label}: ${field.value}`, field);
        else add(`${label}: (${field.placeholder ? "hint: " + field.placeholder : "empty"})`, field);
    };
    const walk = root => {
        const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
        while (walker.nextNode()) {
            const node = walker.currentNode;
            if (node.nodeType === Node.TEXT_NODE) addText(node);
            else if (node.shadowRoot) walk(node.shadowRoot);
            else if (node.matches("input, textarea") && isSeen(node.getBoundingClientRect(), node)) addField(node);
        }
    };
    walk(document.body);
    return lines.map(line => line.join(" "));
}
"""
# Figures, times and dates, and the shares and versions that hold them.
_FIGURES = re.compile(r"\d+(?:[.,:]\d+)*")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True)
class Area:
    """
    A rectangle of a page that lies wholly in the window.

    :param page: the page.
    :param box: the rectangle, in CSS pixels.
    """

    page: Page
    box: FloatRect

    @classmethod
    def around(cls, *parts: Locator, margin: float = 0, below: Locator | None = None) -> Area:
        """
        Return the smallest area that holds some parts of a page, which must be in the window.

        :param parts: what it holds; of a locator that finds several elements, all of them.
        :param margin: further pixels on each side, as far as the window has them.
        :param below: where it begins, in place of the upper edge of the parts.
        """
        page = parts[0].page
        window = page.viewport_size
        assert window is not None
        boxes = []
        for part in parts:
            found = [box for each in part.all() if (box := each.bounding_box())]
            assert found, f"{part} is not on the page"
            boxes += found
        left, top = min(box["x"] for box in boxes), min(box["y"] for box in boxes)
        right = max(box["x"] + box["width"] for box in boxes)
        bottom = max(box["y"] + box["height"] for box in boxes)
        if below is not None:
            first = below.bounding_box()
            assert first is not None
            top = first["y"]
        if left < 0 or top < 0 or right > window["width"] or bottom > window["height"]:
            raise AssertionError(f"{left}, {top} to {right}, {bottom} is not in the window, {window}")
        left, top = max(left - margin, 0), max(top - margin, 0)
        right, bottom = min(right + margin, window["width"]), min(bottom + margin, window["height"])
        return cls(page, {"x": left, "y": top, "width": right - left, "height": bottom - top})

    def texts(self) -> list[str]:
        """Return the texts that can be seen in it."""
        found: list[str] = self.page.evaluate(_TEXTS, self.box)
        return [_SPACE.sub(" ", line).strip() for line in found]

    def take(self, path: Path) -> None:
        """Write a picture of it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path, clip=self.box, animations="disabled")


def normalised(texts: list[str]) -> list[str]:
    """
    Return texts with a sign for every figure, each once: how often a wait has polled differs from run to run.

    What is in a field stays as it is: that is typed, or a default.
    """
    signed = (text if text.startswith("▢") else _FIGURES.sub("#", text) for text in texts)
    return list(dict.fromkeys(signed))
