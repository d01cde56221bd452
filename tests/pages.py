"""What README.md, CONTRIBUTING.md and docs/ give to be typed: blocks, the commands a shell makes of them, and inline code.

A page says in HTML comments above a block what a test must know and a reader need not:

- `<!-- slow: REASON -->`: the block is typed in the slow tests only; its commands are still parsed by default.
- `<!-- machines: REASON -->`: likewise, and each of its commands is for a machine of its own, all at the same time.
- `<!-- clone: REASON -->`: the block is typed in the slow tests, in a new clone that has all such blocks in order.
- `<!-- wheel: REASON -->`: likewise, in a new environment, next to the wheel.
- `<!-- first: REASON -->`: the block was typed before its page: its command is that of the fixture `digits_root`.
- `<!-- file: NAME -->`: the block is the text of this file.
- `<!-- meanwhile -->`: the command goes on while the next blocks run; it serves at port 8501.
- `<!-- shown: TEST -->`: nothing to type; this test holds what it shows.
"""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
REMARK = r"<!-- (slow|machines|clone|wheel|first|file|meanwhile|shown)(?:: ([^>]+?))? -->\n"
FENCE = re.compile(rf"((?:^{REMARK})*)^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Its tables have the words of other tools on the left, and ours on the right.
OF_OTHERS = "docs/coming-from.md"
PROGRAMS = (
    "kerasvision",
    "lint-imports",
    "mypy",
    "pip",
    "pre-commit",
    "pytest",
    "python",
    "python3",
    "ruff",
    "sphinx-build",
)

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
    (made / "activate").touch()
    for program in ("kerasvision", "pip", "python"):
        shutil.copy(sys.argv[0], made / program)
"""


@dataclass(frozen=True)
class Block:
    """A fenced block: its page, its language, its text, the line it begins at, and the remarks above it."""

    page: str
    language: str
    text: str
    line: int
    remarks: dict[str, str] = field(default_factory=dict)

    def __str__(self):
        return f"{self.page}:{self.line}"

    @property
    def script(self):
        """What a shell is given of it: the lines behind "$ " of a session, or the whole of a block of bash."""
        if self.language == "bash":
            return self.text
        return "".join(f"{line[2:]}\n" for line in self.text.splitlines() if line.startswith("$ "))

    @property
    def typed(self):
        """Where the tests type it: "page", in the order of its page; "clone", "wheel" or "first"; "" if nowhere."""
        elsewhere = {"clone", "wheel", "first"} & set(self.remarks)
        if elsewhere or "shown" in self.remarks:
            return "".join(elsewhere)
        is_typed = self.script or self.language == "pycon" or "file" in self.remarks
        return "page" if is_typed and self.page.startswith("docs/") else ""

    @property
    def is_slow(self):
        """Whether only the slow tests type it."""
        return bool({"slow", "machines"} & set(self.remarks))

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


def pages():
    """Each page's name -> its text."""
    files = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return {str(file.relative_to(ROOT)): file.read_text(encoding="utf-8") for file in files}


def blocks(page):
    """The blocks of a page in order; the directives of Sphinx, such as a table of contents, are not among them."""
    text = pages()[page]
    found = [
        Block(page, match[4], match[5], text[: match.start(4)].count("\n") + 1, dict(re.findall(REMARK, match[1])))
        for match in FENCE.finditer(text)
    ]
    return [block for block in found if not block.language.startswith("{")]


def inline():
    """Inline code of all pages, each once and on one line, in order; not what is set against ours in a first column."""
    texts = {page: FENCE.sub("", text) for page, text in pages().items()}
    texts[OF_OTHERS] = re.sub(r"^\| [^|]* \|", "|", texts[OF_OTHERS], flags=re.MULTILINE)
    found = [" ".join(code.split()) for text in texts.values() for code in re.findall(r"`([^`]+)`", text)]
    return list(dict.fromkeys(found))


def calls(script, folder):
    """What bash calls when it runs the script with programs that only write down how they are called."""
    programs, record = folder / "bin", folder / "calls.jsonl"
    programs.mkdir(parents=True, exist_ok=True)
    for name in (*PROGRAMS, "tensorboard"):
        (programs / name).write_text(STUB)
        (programs / name).chmod(0o755)
    record.write_text("")
    environment = {"PATH": f"{programs}{os.pathsep}/usr/bin{os.pathsep}/bin", "HOME": str(folder), "CALLS": str(record)}
    command = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{script}\n{done.stderr}"
    return [Call(*json.loads(line)) for line in record.read_text().splitlines()]
