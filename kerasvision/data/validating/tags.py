"""Tags that are missing, new, rare, spelt in two ways, or that were not parted."""

from collections.abc import Iterator

from kerasvision.data.measuring.statistics import Statistics
from kerasvision.data.measuring.tag_statistics import TagStatistics, totals
from kerasvision.data.splits import TRAIN
from kerasvision.data.validating.anomalies import MOST_OF_A_KIND, Anomaly, anomaly, count_phrase
from kerasvision.data.validating.schema import DataSchema
from kerasvision.data.validating.spelling import DIFFERENCE, show_differences, spelt_alike
from kerasvision.shortened import shortened

SEPARATORS = ";|,"
# From this share of tags with a separator on, a text was probably not parted.
MANY = 0.2


def tag_anomalies(statistics: Statistics, schema: DataSchema) -> Iterator[Anomaly]:
    """Compares the tags with the schema and with common sense. Without tags, only a task that requires them."""
    if not statistics.tag_classes:
        if "tags" in schema.requires:
            yield anomaly("untagged", "the task requires tags, and no usable image has one")
        elif schema.tag_classes:
            yield anomaly("untagged", f"the schema has {len(schema.tag_classes)} tags, and no usable image has one")
        return
    counts = totals(statistics.tags)
    present = {name for name, count in counts.items() if count}
    for name in sorted(present - set(schema.tag_classes)):
        has = count_phrase(counts[name], "image has", "images have")
        yield anomaly("unseen_tag", f"{has} the tag {name!r}, which is not in the schema")
    for name in sorted(set(schema.tag_classes) - present):
        yield anomaly("missing_tag", f"no usable image has the tag {name!r} of the schema")
    for names in spelt_alike(present):
        yield anomaly("tag_variants", f"tags {show_differences(names)} {DIFFERENCE}")
    yield from _split_anomalies(statistics.tags, schema, present)
    yield from _unparted(present, schema)


def _split_anomalies(tags: TagStatistics, schema: DataSchema, present: set[str]) -> Iterator[Anomaly]:
    for split, counts in tags["images"].items():
        missing = [name for name in counts if not counts[name] and name in present]
        if missing:
            why = "it cannot be learned" if split == TRAIN else "it is not measured there"
            named = shortened(map(repr, missing), most=MOST_OF_A_KIND)
            yield anomaly("tag_missing_in_split", f"no image of the {split} split has the tag {named}; {why}")
        if split == TRAIN:
            rare = [name for name, count in counts.items() if 0 < count < schema.min_train_examples]
            if rare:
                have = f"fewer than {schema.min_train_examples} training images"
                yield anomaly("rare_tag", f"{have} have the tag {shortened(map(repr, rare), most=MOST_OF_A_KIND)}")
    without, images = sum(tags["without"].values()), sum(tags["per_image"].values())
    if without:
        has = count_phrase(without, "image has", "images have")
        yield anomaly(
            "images_without_tags", f"{has} no tag, of {images:,}; they are used: the answer to them is that nothing fits"
        )


def _unparted(present: set[str], schema: DataSchema) -> Iterator[Anomaly]:
    """Texts with several tags that were read as one. If a separator is set, a person has said how to part them."""
    for separator in SEPARATORS if not schema.parts_tags else "":
        joined = sorted(name for name in present if separator in name)
        is_part = any(part.strip() in present for name in joined for part in name.split(separator))
        if joined and (is_part or len(joined) >= max(2, MANY * len(present))):
            message = f"{count_phrase(len(joined), 'tag contains', 'tags contain')} {separator!r}, such as {joined[0]!r}"
            has_setting = schema.parts_tags is not None
            way_out = f"set source.tag_separator={separator!r}" if has_setting else "the source must give them one by one"
            yield anomaly("unparted_tags", f"{message}; if these are several tags, {way_out}")
