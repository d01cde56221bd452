"""What Python code declares, read from its source without importing it.

So a pipeline file is checked and planned without Keras and TensorFlow.

>>> sorted(keywords("kerasvision.models.lenet:lenet5"))
['activation', 'image_shape', 'initialization', 'num_classes', 'pooling']
"""

import ast
import functools
import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path

from kerasvision.errors import ConfigError


def module_file(path: str) -> Path | None:
    """The source file of `"module:attribute"` or `"module"`, found without importing it or its package.

    >>> module_file("kerasvision.errors").name
    'errors.py'
    >>> module_file("kerasvision.nothing") is None
    True
    """
    name = path.partition(":")[0]
    top, *parts = name.split(".")
    loaded = getattr(sys.modules.get(name), "__file__", None)
    if loaded:
        return Path(loaded) if loaded.endswith(".py") else None
    # Only the top-level module is looked up, because find_spec("a.b") would import a.
    if top in sys.modules:
        origin, folders = None, getattr(sys.modules[top], "__path__", ())
    else:
        spec = importlib.util.find_spec(top)
        origin, folders = (spec.origin, spec.submodule_search_locations or ()) if spec else (None, ())
    if not parts:
        return Path(origin) if origin and origin.endswith(".py") else None
    places = [Path(folder, *parts) for folder in folders]
    files = [file for place in places for file in (place / "__init__.py", place.with_name(place.name + ".py"))]
    return next((file for file in files if file.is_file()), None)


def module_exists(name: str) -> bool:
    """Whether Python can import a module with that name, found without importing it or its package.

    >>> module_exists("kerasvision.lookup"), module_exists("numpy"), module_exists("kerasvision.nothing")
    (True, True, False)
    """
    top = name.partition(".")[0]
    if not all(part.isidentifier() for part in name.split(".")):
        return False
    is_there = top in sys.modules or importlib.util.find_spec(top) is not None
    return is_there and (top == name or module_file(name) is not None)


def keywords(path: str) -> frozenset[str] | None:
    """The keyword arguments that a function takes, read from its source; None if it takes any.

    Reading the source makes it possible to check a pipeline file without importing Keras. A builder with the decorator
    `options_of(family)` and one that is made by `of_size(family, ...)` (see `kerasvision.models.families`) take the
    arguments of `family`.

    >>> sorted(keywords("kerasvision.models.lenet:lenet5"))
    ['activation', 'image_shape', 'initialization', 'num_classes', 'pooling']
    >>> keywords("kerasvision.models.vgg:vgg16") == keywords("kerasvision.models.vgg:vgg")
    True
    """
    found = _declared(path)
    return None if found is None else frozenset(a.arg for a in found.args + found.kwonlyargs)


def defaults(path: str) -> dict[str, object]:
    """Keyword argument -> default, for the literal defaults of a function, read from its source.

    >>> defaults("kerasvision.models.lenet:lenet5")
    {'activation': 'sigmoid', 'pooling': 'average', 'initialization': None}
    """
    found = _declared(path)
    pairs = zip(found.kwonlyargs, found.kw_defaults, strict=True) if found else ()
    return {argument.arg: default.value for argument, default in pairs if isinstance(default, ast.Constant)}


def _declared(path: str) -> ast.arguments | None:
    """The arguments of a function, or of the family whose options it takes; None if they cannot be read."""
    file = module_file(path)
    if file is None:
        return None
    state = file.stat()
    return _declared_in(file, path.partition(":")[2], (state.st_mtime_ns, state.st_size))


@functools.lru_cache(maxsize=1024)
def _declared_in(file: Path, name: str, _state: tuple[int, int]) -> ast.arguments | None:
    """`_declared`, read once for each state of the file: building a network asks a dozen times."""
    body = parsed(file).body
    functions = {node.name: node for node in body if isinstance(node, ast.FunctionDef)}
    found = functions.get(name) or functions.get(_family_of_size(body, name))
    for decorator in found.decorator_list if found else ():
        match decorator:
            case ast.Call(func=ast.Name(id="options_of"), args=[ast.Name(id=family)]):
                found = functions.get(family)
    return found.args if found and found.args.kwarg is None else None


def _family_of_size(body: Iterable[ast.stmt], name: str) -> str:
    """The family of a builder that is made by `name = of_size(family, ...)`; "" if it is not made so."""
    for statement in body:
        match statement:
            case ast.Assign([ast.Name(target)], ast.Call(ast.Name("of_size"), [ast.Name(family), *_])) if target == name:
                return family
    return ""


def parsed(file: Path) -> ast.Module:
    """The syntax tree of a source file.

    Raises:
        ConfigError: it is not valid Python.
    """
    try:
        return ast.parse(file.read_bytes())
    except SyntaxError as error:
        raise ConfigError(f"{file}, line {error.lineno}, is not valid Python: {error.msg}") from error
