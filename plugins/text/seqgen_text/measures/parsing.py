"""Whether texts parse, by parsers that share no code with the grammars of new pieces.

XML is read by expat, JSON and Python by the parsers of Python, C by tree-sitter (the extra
``text-metrics``), and LaTeX by a stack of environments, braces and formulas.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from seqgen.plugin import Metric

if TYPE_CHECKING:
    from tree_sitter import Parser

#: Characters that a parser reads, and pieces of the corpus that are looked at for its language.
LONGEST, LOOKED_AT = 2**16, 50

#: Share of the corpus that must be in a language.
MOST = 0.9

#: What of LaTeX matters to the stack.
LATEX = re.compile(
    r"%[^\n]*|\\begin\s*\{(?P<begin>[^{}]*)\}|\\end\s*\{(?P<end>[^{}]*)\}|"
    r"\\[a-zA-Z@]+|\\.|\$\$|[{}$]",
    re.DOTALL,
)
LATEX_PAIRS = {"}": "{", "\\]": "\\[", "\\)": "\\("}


def xml_errors(text: str) -> int:
    """Return 0 for a well-formed document, 1 for another text."""
    try:
        expat.ParserCreate().Parse(text.encode("utf-8", "surrogatepass"), True)
    except (expat.ExpatError, LookupError, ValueError):  # the last two of an encoding
        return 1
    return 0


def json_errors(text: str) -> int:
    """Return 0 for a JSON value, 1 for another text."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return 1
    return 0


def python_errors(text: str) -> int:
    """Return 0 for a Python module, 1 for another text."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the text, such as an invalid escape
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return 1
    return 0


def latex_errors(text: str) -> int:
    """Return how many environments, braces and formulas open or close without the other end."""
    stack: list[str] = []
    errors, place = 0, 0
    while (found := LATEX.search(text, place)) is not None:
        place, sign = found.end(), found.group()
        if sign == "$$" and stack[-1:] == ["$"]:
            # One formula ends here, and another begins.
            place, sign = place - 1, "$"
        if found["begin"] is not None:
            stack.append(found["begin"])
        elif sign in ("{", "\\[", "\\(") or (sign in ("$", "$$") and stack[-1:] != [sign]):
            stack.append(sign)
        elif found["end"] is not None or sign in LATEX_PAIRS or sign in ("$", "$$"):
            opening = found["end"] if found["end"] is not None else LATEX_PAIRS.get(sign, sign)
            if stack[-1:] == [opening]:
                stack.pop()
            else:
                errors += 1
    return errors + len(stack)


def c_errors(text: str) -> int:
    """Return the number of error nodes and missing tokens of tree-sitter.

    Raises
    ------
    ImportError
        Without the extra ``text-metrics``.
    """
    waiting: list[Any] = [_c_parser().parse(text.encode("utf-8", "replace")).root_node]
    errors = 0
    while waiting:
        node = waiting.pop()
        errors += node.is_error or node.is_missing
        if node.has_error:
            waiting += node.children
    return errors


@cache
def _c_parser() -> Parser:
    import tree_sitter_c
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_c.language()))


def looks_like_c(texts: Sequence[str]) -> bool:
    """Return whether many lines end as in C, and some have its words."""
    words = r".*\b(?:int|void|char|struct|return|static|const)\b.*|\s*#.*"
    ends = _share_of_lines(texts, r"[;{}]\s*(?:/[/*].*)?")
    return ends > 0.25 and _share_of_lines(texts, words, whole=True) > 0.1


def looks_like_latex(texts: Sequence[str]) -> bool:
    """Return whether many lines have a command of LaTeX."""
    return _share_of_lines(texts, r".*\\[a-zA-Z]{2,}.*|.*\$.+\$.*", whole=True) > 0.25


def _share_of_lines(texts: Sequence[str], pattern: str, whole: bool = False) -> float:
    lines = [line for text in texts for line in text.splitlines() if line.strip()]
    like = re.compile(pattern if whole else f".*{pattern}")
    return sum(like.fullmatch(line) is not None for line in lines) / max(len(lines), 1)


#: Languages with their measures, and how a corpus of them is recognised.
LANGUAGES: dict[str, tuple[Callable[[str], int], Callable[[Sequence[str]], bool]]] = {
    "XML": (xml_errors, lambda texts: _parse(texts, xml_errors, "<")),
    "JSON": (json_errors, lambda texts: _parse(texts, json_errors, "{[")),
    "Python": (python_errors, lambda texts: _parse(texts, python_errors, "") and _are_code(texts)),
    "LaTeX": (latex_errors, looks_like_latex),
    "C": (c_errors, looks_like_c),
}

#: Languages whose errors are counted: a piece may have more than one.
COUNTED = ("LaTeX", "C")


def _parse(texts: Sequence[str], errors: Callable[[str], int], begins: str) -> bool:
    """Return whether nearly all texts parse and begin with one of some characters, if any."""
    fits = [
        (not begins or text.lstrip()[:1] in {*begins}) and not errors(text[:LONGEST])
        for text in texts
    ]
    return bool(np.mean(fits) >= MOST)


def _are_code(texts: Sequence[str]) -> bool:
    """Return whether many lines of Python end a statement of code, not of prose."""
    return _share_of_lines(texts, r"(?:\)|:|\]|=.*|import .*)") > 0.25


def measure_parsing(generated: Sequence[str], reference: Sequence[str]) -> dict[str, Metric]:
    """Return how well texts parse in the language of the corpus; nothing if it is in none.

    Both sides are cut to `LONGEST` characters. Errors are counted for 1,000 characters, and a
    piece that was cut in the corpus has those of the cut.
    """
    name = language_of(reference)
    if not name:
        return {}
    errors, _ = LANGUAGES[name]
    try:
        new, old = (
            np.array([errors(text[:LONGEST]) for text in side], np.float64)
            for side in (generated, reference)
        )
    except ImportError:
        return {}
    found = {f"parses as {name}": Metric("", 1.0 * (new == 0), 1.0 * (old == 0))}
    if name in COUNTED:
        rates = (1000 * new / _sizes(generated), 1000 * old / _sizes(reference))
        found[f"errors of {name}"] = Metric("in 1,000 characters", *rates)
    return found


def language_of(texts: Sequence[str]) -> str:
    """Return the language that the first texts of a corpus are in, by its name; "" for none."""
    looked_at = [text[:LONGEST] for text in texts[:LOOKED_AT] if text.strip()]
    fitting = (name for name, (_, fits) in LANGUAGES.items() if looked_at and fits(looked_at))
    return next(fitting, "")


def _sizes(texts: Sequence[str]) -> NDArray[np.float64]:
    """Return how many characters of each text are parsed, at least one."""
    return np.array([min(max(len(text), 1), LONGEST) for text in texts], np.float64)
