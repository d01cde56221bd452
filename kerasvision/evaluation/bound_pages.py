"""Inserts pages that stages wrote into another page, so that their pictures and tables are drawn only once.

The pages are our own: self-contained, with one `<style>`, and with names escaped.
"""

from html.parser import HTMLParser
from pathlib import Path

MOST_LABELS = 24
MOST_OF_A_LABEL = 8
PICTURES = "Training images"


def bound_page(file: Path, *, place: str) -> tuple[str, str]:
    """Returns (style sheet that applies only inside the element `place`, body from the first `<h2>` on) of a page.

    Args:
        file: the page.
        place: the id of the element that receives the body.

    Raises:
        ValueError: the file is not such a page.
    """
    text = file.read_text(encoding="utf-8")
    _, opened, rest = text.partition("<style>")
    style, closed, body = rest.partition("</style>")
    start, end = body.find("<h2"), body.rfind("</html>")
    if not (opened and closed and 0 <= start < end):
        raise ValueError(f"{file} is not a complete page")
    # Nested rules apply inside the element only; a browser without support for them shows the same without colours.
    return f"#{place} {{ {style} }}", body[start:end]


def training_pictures(file: Path) -> dict[str, list[str]]:
    """Label -> data URLs of some of its training images, from the statistics page; the label is "" without labels."""
    reader = _Pictures()
    reader.feed(file.read_text(encoding="utf-8"))
    shown = {label: urls[:MOST_OF_A_LABEL] for label, urls in reader.found.items() if urls}
    return dict(list(shown.items())[:MOST_LABELS])


class _Pictures(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, list[str]] = {}
        self._heading, self._text, self._label, self._reached = "", "", "", False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag in ("h2", "h3"):
            self._heading, self._text = tag, ""
        elif tag == "small":
            self._end_heading()
        elif tag == "img" and self._reached:
            url = dict(attributes).get("src") or ""
            if url.startswith("data:image/"):
                self.found.setdefault(self._label, []).append(url)

    def handle_data(self, data: str) -> None:
        if self._heading:
            self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag in ("h2", "h3"):
            self._end_heading()

    def _end_heading(self) -> None:
        """Ends a heading with its text: the small print after it is not part of it."""
        if self._heading == "h2":
            self._reached, self._label = self._text.strip() == PICTURES, ""
        elif self._heading == "h3":
            self._label = self._text.strip()
        self._heading = ""
