"""The first images of a source with their annotations, as a source of its own, to measure a training by them."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import ClassVar

from pydantic import Field, SerializeAsAny

from kerasvision import lookup
from kerasvision.config.sources import Source
from kerasvision.data.records import Record
from kerasvision.data.splits import TEST, TRAIN


class FirstImages(Source):
    """The first images of another source that it knows no fault of: one to test, and the others to train."""

    implementation: ClassVar[str] = "kerasvision.training.probes.first_images:read_first"

    source: SerializeAsAny[Source] = Field(description="where the images come from")
    count: int = Field(ge=1, description="how many images to train on")


def read_first(settings: FirstImages) -> Iterator[Record]:
    """One image to test, which no data set may lack, and `count` to train."""
    source = settings.source
    usable = (record for record in lookup.load(source.implementation)(source) if not record.fault)
    for number, record in enumerate(islice(usable, settings.count + 1)):
        yield replace(record, split=TRAIN if number else TEST)
