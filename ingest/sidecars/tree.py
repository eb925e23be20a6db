"""Untrusted XML to a tree: no entities of its own, nothing fetched, bounded depth and size."""

from __future__ import annotations

from html.entities import html5
from html.parser import HTMLParser
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from mmsearch.errors import LimitExceeded, UnreadableFile

_MAX_DEPTH = 100
_MAX_ELEMENTS = 500_000  # a file of the largest size that tells every letter has 350,000
_VOID = frozenset({"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "wbr"})


def parse(data: bytes, name: str) -> Element:
    """The tree of an XML file, or of an HTML file that is not quite XML; tags without prefix.

    Raises:
        LimitExceeded: too deep, or too many elements.
        UnreadableFile: not well-formed, or it declares entities.
    """
    try:
        return _xml(data, name)
    except expat.ExpatError as error:
        # Old OCR programs write HTML: tags left open, attributes without quotes.
        if b"<html" in data[:4096].lower() and b"</html>" in data[-4096:].lower():
            return _html(data, name)
        raise UnreadableFile(
            f"{name}: damaged or cut short ({error}); export it again or remove it"
        ) from error
    except (LookupError, ValueError) as error:  # an encoding that nobody knows
        raise UnreadableFile(f"{name}: not readable as XML ({error}); save it as UTF-8") from error


class _Tree:
    """Builds the tree from events, within the limits."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._builder = TreeBuilder()
        self._open: list[str] = []
        self._count = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > _MAX_ELEMENTS or len(self._open) >= _MAX_DEPTH:
            what = f"{_MAX_ELEMENTS} elements" if len(self._open) < _MAX_DEPTH else "100 levels"
            raise LimitExceeded(f"{self._name}: more than {what}; split it or remove it")
        self._open.append(tag)
        self._builder.start(
            tag.rpartition(":")[2], {key.rpartition(":")[2]: v for key, v in attributes.items()}
        )

    def end(self, tag: str) -> None:
        """Close `tag` and what was left open within; one that is not open is passed over."""
        if tag not in self._open:
            return
        while self._open:
            last = self._open.pop()
            self._builder.end(last.rpartition(":")[2])
            if last == tag:
                return

    def text(self, text: str) -> None:
        if self._open:
            self._builder.data(text)

    def close(self) -> Element:
        if self._open:
            self.end(self._open[0])
        return self._builder.close()


def _xml(data: bytes, name: str) -> Element:
    tree = _Tree(name)

    def declared(*_: object) -> None:
        raise UnreadableFile(f"{name}: declares entities of its own; remove its DOCTYPE")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = tree.start
    parser.EndElementHandler = tree.end
    parser.CharacterDataHandler = tree.text
    parser.EntityDeclHandler = declared
    # XHTML may use the entities of HTML; its DTD, which declares them, is never opened.
    parser.UseForeignDTD(True)
    parser.SkippedEntityHandler = lambda entity, _: tree.text(html5.get(f"{entity};", ""))
    parser.Parse(data, True)
    return tree.close()


class _Html(HTMLParser):
    def __init__(self, tree: _Tree) -> None:
        super().__init__(convert_charrefs=True)
        self._tree = tree

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "p":  # a paragraph ends where the next begins
            self._tree.end(tag)
        self._tree.start(tag, {key: value or "" for key, value in attrs})
        if tag in _VOID:
            self._tree.end(tag)

    def handle_endtag(self, tag: str) -> None:
        self._tree.end(tag)

    def handle_data(self, data: str) -> None:
        self._tree.text(data)


def _html(data: bytes, name: str) -> Element:
    tree = _Tree(name)
    parser = _Html(tree)
    parser.feed(data.decode("utf-8", errors="replace"))
    parser.close()
    return tree.close()
