"""A Sphinx extension that reads docstrings as they are written here: reStructuredText in which fewer signs mean something.

- Backticks enclose code, and three of them a block of it.
- An indented block after an empty line is a drawing or a list of files, and is shown as it is.
- All other signs, such as `*` and `|`, stand for themselves.
"""

import re
from typing import Any

from sphinx.application import Sphinx

# "height, width: ..." in a list of arguments.
SHARED = re.compile(r"^ +[a-z_]+(, [a-z_]+)+(?=: )")


def as_restructured_text(lines: list[str]) -> list[str]:
    """The lines of a docstring in reStructuredText.

    >>> as_restructured_text(["Two layers:", "", "    x -- *y", "", "of `a` and b|c"])
    ['Two layers:', '', '::', '', '    x -- *y', '', 'of ``a`` and b\\\\|c']
    >>> as_restructured_text(["```python", "a|b", "```", ">>> a * b", "2"])
    ['.. code-block:: python', '', '    a|b', '', '>>> a * b', '2']
    """
    made: list[str] = []
    above = 0  # The indentation of the last line that is not empty.
    drawn_from: int | None = None  # That of a drawing, while there is one.
    is_fenced = is_doctest = False
    for place, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if line.strip().startswith("```"):
            language = line.strip("` ") or "text"
            is_fenced = not is_fenced
            made += [f"{' ' * indent}.. code-block:: {language}", ""] if is_fenced else [""]
            continue
        if is_fenced:
            made.append("    " + line)
            continue
        if not line.strip():
            is_doctest = False
            made.append(line)
            continue
        is_doctest = is_doctest or line.lstrip().startswith(">>>")
        if drawn_from is not None and indent < drawn_from:
            drawn_from = None
        if drawn_from is None and place and not lines[place - 1].strip() and indent >= above + 4 and not is_doctest:
            drawn_from = indent
            made += [f"{' ' * above}::", ""]
        made.append(line if is_doctest or drawn_from is not None else _prose(line))
        above = above if drawn_from is not None else indent
    return made


def _prose(line: str) -> str:
    """A line of text. Arguments that share a description lose the space between them, or Sphinx would read a type.

    >>> _prose("    height, width: *not* of `records`s, decoder_ alone")
    '    height,width: \\\\*not\\\\* of ``records``\\\\ s, decoder\\\\_ alone'
    """
    line = SHARED.sub(lambda names: names[0].replace(", ", ","), line)
    parts = line.split("`")
    if len(parts) % 2 == 0:  # Code that goes on in the next line.
        return line
    parts[::2] = [re.sub(r"[*|]|(?<=\w)_(?!\w)", lambda sign: "\\" + sign[0], part) for part in parts[::2]]
    glued = [part if place == 0 or not part[:1].isalnum() else "\\ " + part for place, part in enumerate(parts[::2])]
    return glued[0] + "".join(f"``{code}``{text}" for code, text in zip(parts[1::2], glued[1:], strict=True))


def _process(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = as_restructured_text(lines)


def _skip(app: Any, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """True for the methods that scikit-learn adds to its estimators: their docstrings are not in our form."""
    return True if getattr(obj, "__module__", "").startswith("sklearn.") else None


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("autodoc-skip-member", _skip)
    # Before napoleon, which reads "Args:" and the like.
    app.connect("autodoc-process-docstring", _process, priority=400)
    return {"parallel_read_safe": True}
