"""What stands in README.md to be typed: blocks, the commands that a shell makes of them, and inline code."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# Stands for every program: writes down how it was called. As `python3 -m venv` it makes an environment of such programs.
STUB = f"""#!{sys.executable} -SE
import json, os, shutil, sys
from pathlib import Path
name, arguments = Path(sys.argv[0]).name, sys.argv[1:]
with open(os.environ["CALLS"], "a") as file:
    file.write(json.dumps([name, arguments, dict(os.environ)]) + "\\n")
if arguments[:2] == ["-m", "venv"]:
    made = Path(arguments[2], "bin")
    made.mkdir(parents=True)
    for program in ("kerasvision", "pip", "python"):
        shutil.copy(sys.argv[0], made / program)
"""


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the line of README.md that it begins at."""

    language: str
    text: str
    line: int

    def __str__(self):
        return f"line {self.line}"

    @property
    def script(self):
        """What a shell is given of it: the lines behind "$ " of a session, or the whole of a block of bash."""
        if self.language == "bash":
            return self.text
        return "".join(f"{line[2:]}\n" for line in self.text.splitlines() if line.startswith("$ "))

    @property
    def output(self):
        """What a session shows below its one command."""
        return self.text.partition("\n")[2] if self.script and self.language != "bash" else ""


@dataclass(frozen=True)
class Call:
    """A program that a shell began: its name, its arguments, and its environment."""

    program: str
    arguments: list[str]
    environment: dict[str, str]

    def __str__(self):
        return " ".join([self.program, *self.arguments])


def blocks():
    return [Block(found[1], found[2], TEXT[: found.start()].count("\n") + 1) for found in FENCE.finditer(TEXT)]


def inline():
    """Inline code, each on one line, in order."""
    return [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", FENCE.sub("", TEXT))]


def calls(script, folder):
    """What bash calls when it runs the script with programs that only write down how they are called."""
    programs, record = folder / "bin", folder / "calls.jsonl"
    programs.mkdir(parents=True, exist_ok=True)
    for name in ("kerasvision", "pip", "python", "python3", "tensorboard"):
        (programs / name).write_text(STUB)
        (programs / name).chmod(0o755)
    record.write_text("")
    environment = {"PATH": f"{programs}{os.pathsep}/usr/bin{os.pathsep}/bin", "HOME": str(folder), "CALLS": str(record)}
    command = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{script}\n{done.stderr}"
    return [Call(*json.loads(line)) for line in record.read_text().splitlines()]
