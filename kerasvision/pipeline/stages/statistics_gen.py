"""Measures the examples: sizes, colours, labels, copies."""

from kerasvision.config.runners import LOCAL, Runner
from kerasvision.pipeline.artifacts import Examples, ExampleStatistics, Out


def statistics_gen(examples: Examples, statistics: Out[ExampleStatistics], *, runner: Runner = LOCAL) -> None:
    """Examples -> ExampleStatistics."""
    import pandas as pd

    from kerasvision.data.examples import ExampleSet
    from kerasvision.data.mapping.mapper import mapper_of
    from kerasvision.data.measuring.page import write_statistics_page
    from kerasvision.data.measuring.statistics import compute_statistics, save_statistics_tables

    example_set = ExampleSet(examples.data)
    mapper = mapper_of(runner, scratch=statistics.uri / "scratch")
    computed, images = compute_statistics(example_set, pd.read_parquet(examples.manifest), mapper=mapper)
    computed.save(statistics.summary)
    images.to_parquet(statistics.images, index=False)
    save_statistics_tables(computed, images, examples=example_set, folder=statistics.uri)
    write_statistics_page(computed, images, examples=example_set, file=statistics.page)
