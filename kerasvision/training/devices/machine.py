"""Examines this machine, and finds what prevents training on it."""

import os
import platform
import re
import shutil
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

import tensorflow as tf
from packaging.requirements import Requirement

from kerasvision.connection import host_answers
from kerasvision.data.sources.tfds import NETWORK

LEAST_FREE_GB = 2.0
State = Literal["ok", "note", "wrong"]


@dataclass(frozen=True)
class Finding:
    """The result of one check: `ok`, `note` (works, but with a limitation) or `wrong`."""

    state: State
    what: str
    found: str


def examine(root: Path) -> list[Finding]:
    """Checks versions, devices, memory, disk and network.

    Args:
        root: the folder that would hold `runs/`.
    """
    return [
        Finding("ok", "Python", platform.python_version()),
        *_packages(),
        _devices(),
        _processor(),
        _memory(),
        _place(root),
        Finding("ok", "network", "reached")
        if host_answers(NETWORK)
        else Finding("note", "network", "not reached: Tfds sources must already be on this machine"),
    ]


def _packages() -> list[Finding]:
    """Compares the version of each dependency with the versions that kerasvision was tested with."""
    findings = []
    for text in metadata.requires("kerasvision") or ():
        wanted = Requirement(text)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            version = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            findings.append(Finding("wrong", wanted.name, f"not installed; kerasvision requires {wanted.specifier}"))
            continue
        state: State = "ok" if wanted.specifier.contains(version, prereleases=True) else "wrong"
        findings.append(Finding(state, wanted.name, f"{version} (tested with {wanted.specifier})"))
    return findings


def _devices() -> Finding:
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return Finding("note", "devices", "no GPU that TensorFlow can use; training runs on the CPU")
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]
    return Finding("ok", "devices", f"{len(gpus)} GPU: {', '.join(names)}")


def _processor() -> Finding:
    info = Path("/proc/cpuinfo")
    flags = set(re.findall(r"\b(avx2|avx512f|avx512_bf16|amx_bf16)\b", info.read_text())) if info.exists() else set()
    return Finding("ok", "processor", f"{os.cpu_count()} cores, {', '.join(sorted(flags)) or platform.machine()}")


def _memory() -> Finding:
    total_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return Finding("ok" if total_gb > 4 else "note", "memory", f"{total_gb:.1f} GB")


def _place(root: Path) -> Finding:
    try:
        with tempfile.TemporaryFile(dir=root):
            free_gb = shutil.disk_usage(root).free / 1e9
    except OSError as error:
        return Finding("wrong", "root", f"{root.resolve()} cannot be written: {error.strerror}")
    return Finding("ok" if free_gb > LEAST_FREE_GB else "wrong", "root", f"{root.resolve()}, {free_gb:.1f} GB free")
