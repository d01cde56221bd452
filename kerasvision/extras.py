"""Which extra brings a package that is missing, and the command that installs it here.

>>> extra_of("uvicorn")
'serve'
"""

import importlib.metadata
import importlib.util
import json
import re
import shlex
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from kerasvision.errors import ConfigError

# The names that are imported; pyproject.toml has the distributions and their bounds, and a test compares the two.
EXTRAS = {
    "formats": ("ai_edge_litert", "onnx", "onnxruntime", "tf2onnx"),
    "serve": ("prometheus_client", "starlette", "uvicorn"),
    "subwords": ("tokenizers",),
}


def extra_of(package: str) -> str | None:
    """The extra with the package that is imported by that name; None where no extra has it.

    >>> extra_of("math") is None
    True
    """
    return next((extra for extra, packages in EXTRAS.items() if package in packages), None)


def missing(who: str, packages: Iterable[str]) -> ConfigError:
    """The error of something that requires packages of an extra, with the command that installs them.

    Args:
        who: what requires them, as the user knows it.
        packages: the names that are imported; one at least.
    """
    names = sorted(packages)
    extras = sorted({extra for name in names if (extra := extra_of(name))})
    others = [shlex.quote(name) for name in names if extra_of(name) is None]
    which = f"the package {names[0]}, which is" if len(names) == 1 else f"the packages {', '.join(names)}, which are"
    command = " ".join([install_command(*extras) if extras else _install(), *others])
    return ConfigError(f"{who} needs {which} not installed", hint=f"install with: {command}")


def install_command(*extras: str) -> str:
    """The command that adds extras to this installation of kerasvision, to be typed in the current folder.

    From a clone, it names the clone: an index of packages need not have kerasvision.
    """
    wanted = f"[{','.join(extras)}]"
    checkout = Path(__file__).parents[1]
    if _is_checkout(checkout):
        where = "." if checkout == Path.cwd() else str(checkout)
        return f"{_install()} -e {shlex.quote(where + wanted)}"
    origin = _origin()
    return f"{_install()} {shlex.quote(f'kerasvision{wanted} @ {origin}' if origin else f'kerasvision{wanted}')}"


def _is_checkout(folder: Path) -> bool:
    project = folder / "pyproject.toml"
    return project.is_file() and re.search(r'^name = "kerasvision"$', project.read_text("utf-8"), re.MULTILINE) is not None


def _origin() -> str | None:
    """The address that pip installed kerasvision from; None where it came from an index.

    Source: https://packaging.python.org/en/latest/specifications/direct-url/
    """
    try:
        text = importlib.metadata.distribution("kerasvision").read_text("direct_url.json")
    except importlib.metadata.PackageNotFoundError:
        return None
    if not text:
        return None
    recorded = json.loads(text)
    version = recorded.get("vcs_info")
    return f"{version['vcs']}+{recorded['url']}@{version['commit_id']}" if version else recorded["url"]


def _install() -> str:
    """`pip install` where the shell finds the pip of this environment; else what names this environment."""
    found, python = shutil.which("pip"), shlex.quote(sys.executable)
    if importlib.util.find_spec("pip") is None:  # uv makes environments without it
        return f"uv pip install --python {python}"
    is_ours = found is not None and Path(found).parent == Path(sys.executable).parent
    return "pip install" if is_ours else f"{python} -m pip install"
