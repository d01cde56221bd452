"""Which numbers a network estimates: those of the examples, in their order."""

from kerasvision.config.regression import ValueNames, check_value_name
from kerasvision.data.examples import ExampleSet
from kerasvision.errors import DataError


def value_names(settings: ValueNames, examples: ExampleSet) -> tuple[str, ...]:
    """The names of the values, in the order of the examples.

    Raises:
        DataError: the images have no numbers.
        ConfigError: the settings name a value that the images do not have.
    """
    if not examples.value_names:
        raise no_values()
    for name in settings.named:
        check_value_name(name, examples.value_names)
    return examples.value_names


def no_values() -> DataError:
    """The error for examples without numbers."""
    return DataError(
        "regression requires numbers for every image; these images have none",
        hint="choose a source with numbers (source.values), or another task",
    )
