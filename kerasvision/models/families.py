"""Builders of one family share the declaration of their options. Each builder states only its own size.

options_of(family)       a decorator for a builder with a docstring of its own
of_size(family, size)    a builder that calls `family` with that size and adds nothing
"""

from collections.abc import Callable
from inspect import Parameter, signature
from typing import Any, Concatenate, ParamSpec

import keras

Options = ParamSpec("Options")
Builder = Callable[..., keras.Model]


def options_of(
    family: Callable[Concatenate[Any, Options], keras.Model],
) -> Callable[[Builder], Callable[Options, keras.Model]]:
    """A decorator for a builder that takes the keywords of `family` and passes them on to it.

    `help` and editors show these keywords with their types and defaults, and `kerasvision.introspection.keywords` reads them
    without importing Keras; for that, `family` must be a function of the same file, named in the decorator.

    Args:
        family: a function of one positional argument, the size, and of the keywords that all sizes take.

    >>> def chain(depth: int, /, *, width: int = 8) -> keras.Model:
    ...     return keras.Sequential([keras.Input((2,)), *(keras.layers.Dense(width) for _ in range(depth))])
    >>> @options_of(chain)
    ... def chain3(**options):
    ...     return chain(3, **options)
    >>> str(signature(chain3)), chain3(width=2).count_params()
    ('(*, width: int = 8) -> keras...Model', 18)
    """
    declared = signature(family)
    keywords = [keyword for keyword in declared.parameters.values() if keyword.kind is Parameter.KEYWORD_ONLY]

    def decorate(builder: Builder) -> Callable[Options, keras.Model]:
        builder.__signature__ = declared.replace(parameters=keywords)  # type: ignore[attr-defined]  # what `inspect` reads
        return builder

    return decorate


def of_size(family: Callable[Concatenate[Any, Options], keras.Model], size: Any, /) -> Callable[Options, keras.Model]:
    """A builder of one size. It must be assigned to a name of the module: `kerasvision.introspection.keywords` looks there.

    Args:
        family: a function of the same file; see `options_of`.
        size: its first argument.

    >>> def chain(depth: int, /, *, width: int = 8) -> keras.Model:
    ...     return keras.Sequential([keras.Input((2,)), *(keras.layers.Dense(width) for _ in range(depth))])
    >>> chain3 = of_size(chain, 3)
    >>> str(signature(chain3)), chain3(width=2).count_params()
    ('(*, width: int = 8) -> keras...Model', 18)
    """

    make: Builder = family

    @options_of(family)
    def builder(**options: Any) -> keras.Model:
        return make(size, **options)

    return builder
