"""How long files and functions are, and the tree of docs/architecture.md."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
FOLDERS = ("seqgen", "plugins", "examples/plugin-chess/seqgen_chess")
SOURCES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))

#: Lines of a file, and lines of a function without its docstring.
LONGEST_FILE, LONGEST_FUNCTION = 400, 60


def long_files() -> dict[str, int]:
    counts = {str(path.relative_to(ROOT)): path.read_text().count("\n") for path in SOURCES}
    return {name: count for name, count in counts.items() if count > LONGEST_FILE}


def long_functions() -> dict[str, int]:
    found = {}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                count = lines_of(node) - (lines_of(node.body[0]) if ast.get_docstring(node) else 0)
                if count > LONGEST_FUNCTION:
                    found[f"{path.relative_to(ROOT)}: {node.name}"] = count
    return found


def lines_of(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_files_are_short() -> None:
    assert long_files() == {}


def test_functions_are_short() -> None:
    assert long_functions() == {}


def files_of_the_tree() -> list[str]:
    """Return the files that the tree of docs/architecture.md names; a folder is its __init__.py."""
    [tree] = re.findall(r"```text\n(.*?)```", ARCHITECTURE, re.DOTALL)
    found, folders = [], [""]
    for line in filter(str.strip, tree.splitlines()):
        depth = (len(line) - len(line.lstrip())) // 2
        for name in re.match(r"(?:\S+(?:/|\.py|\.html)(?:\s+|$))*", line.strip()).group().split():
            path = folders[depth] + name
            if name.endswith("/"):
                folders[depth + 1 :] = [path]
                path += "__init__.py"
            found.append(path)
    return found


def test_every_file_has_its_line_in_the_tree() -> None:
    found = files_of_the_tree()
    assert len(found) == len(set(found))
    assert all((ROOT / name).exists() for name in found)
    assert {str(path.relative_to(ROOT)) for path in SOURCES} <= set(found)


def test_capitals_mark_the_files_to_read_first() -> None:
    marked = {"THE CONTRACT": "plugin", "THE NETWORK": "network/model"}
    marked |= {"THE LOOP": "training/loop", "THE SAMPLER": "drawing/sampling"}
    for mark, name in marked.items():
        path = ROOT / "seqgen" / f"{name}.py"
        assert path.read_text().startswith(f'"""{mark}'), name
        assert re.search(rf"^ +{path.name} +{mark}:", ARCHITECTURE, re.MULTILINE), name
