"""Parses XML without document types, so that no entity can read a file or grow without bounds."""

from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

# The annotation of one image is a few kB.
MOST_BYTES = 10_000_000


class UnusableXml(Exception):
    """A text that is not XML, or XML with a document type."""


def parse_plain_xml(text: bytes) -> Element:
    """The root element of a document of at most 10 MB.

    Raises:
        UnusableXml: why it cannot be used, as the end of a sentence.

    >>> parse_plain_xml(b"<object><name>cat</name></object>").findtext("name")
    'cat'
    >>> parse_plain_xml(b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>')
    Traceback (most recent call last):
    ...
    kerasvision.data.sources.plain_xml.UnusableXml: has a document type (<!DOCTYPE>), which is not read
    """
    if len(text) > MOST_BYTES:
        raise UnusableXml(f"has more than {MOST_BYTES:,} bytes")
    builder, parser = TreeBuilder(), expat.ParserCreate()
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    # Every entity is declared in a document type.
    parser.StartDoctypeDeclHandler = _refuse_document_type
    try:
        parser.Parse(text, True)
    except (expat.ExpatError, LookupError, ValueError) as error:  # the last two: an encoding that Python lacks
        raise UnusableXml(f"is not XML: {error}") from None
    return builder.close()


def _refuse_document_type(*_: object) -> None:
    raise UnusableXml("has a document type (<!DOCTYPE>), which is not read")
