"""Machine code on disk: it is used again, and never when a source of its package changed."""

import os
import subprocess
import sys
from pathlib import Path

INNER = """
from seqgen.compiling import compiled

@compiled
def inner(one, other):
    return one + other
"""
OUTER = """
from seqgen.compiling import compiled
from package.inner import inner

@compiled
def outer(one, other):
    return 10 * inner(one, other)
"""


def result(folder: Path, **environment: str) -> tuple[int, int]:
    """Call `outer` in a fresh process; return its value, and how often it came from the cache."""
    code = (
        "from package.outer import outer\nprint(outer(2, 3), sum(outer.stats.cache_hits.values()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    value, hits = map(int, done.stdout.split())
    return value, hits


def write(path: Path, text: str) -> None:
    """Write a source that is newer than all others, whatever the clock's resolution."""
    newest = max((file.stat().st_mtime_ns for file in path.parent.glob("*.py")), default=0)
    path.write_text(text)
    moment = max(path.stat().st_mtime_ns, newest + 10**9)
    os.utime(path, ns=(moment, moment))


def test_a_function_is_compiled_again_for_changed_sources_and_other_processors(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "__init__.py").touch()
    write(folder / "inner.py", INNER)
    write(folder / "outer.py", OUTER)
    assert result(tmp_path) == (50, 0)
    write(folder / "inner.py", INNER.replace("+", "*"))
    assert [result(tmp_path), result(tmp_path)] == [(60, 0), (60, 1)]
    assert result(tmp_path, NUMBA_CPU_FEATURES="-sse4.2") == (60, 0)
