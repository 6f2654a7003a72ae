"""Grammars of text: faults in 100 pieces of 1,500 characters, with grammar and without.

Data: C (``text/c-source``), LaTeX (``text/latex-stacks``), and MusicXML of the package ``music21``,
its files from 2 to 40 kB. Each corpus is prepared and trained twice with the same settings and
budget, with the grammar of its language and with none; all else is automatic. Half of the pieces
have no limit but 1,500 tokens, which cuts most of them.

Unbalanced pieces are found by code apart from the grammars: brackets of C after literals, comments
and directives are taken out; a stack of environments, braces and formulas; expat. Error nodes of C
are those of tree-sitter, also for 100 passages of the corpus, which begin at blank lines and are
cut after 1,500 characters. The figure is the number of unbalanced pieces with grammar.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from harness import BY_TOKENS, Benchmark
from seqgen_text.measures.parsing import c_errors, latex_errors, xml_errors

import seqgen
from seqgen.config import LimitConfig

PIECES, LENGTH = 100, 1500

#: What is no bracket of C: comments and literals, and directives with all that is in them.
LITERAL = re.compile(
    r"""(?sx) (?: /\*.*?\*/ | //[^\n]* | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])+' )
    | ^[ \t]*\# (?: /\*.*?\*/ | //[^\n]* | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])+' | [^\n] )*""",
    re.MULTILINE,
)


def unbalanced_c(text: str) -> int:
    """Return how many brackets of C have no other end."""
    # Lines that a backslash joins are one line, before anything else is read.
    code = LITERAL.sub("", text.replace("\\\n", ""))
    stack: list[str] = []
    wrong = 0
    for sign in re.findall(r"[][(){}]", code):
        if sign in "([{":
            stack.append(sign)
        elif stack and stack[-1] + sign in ("()", "[]", "{}"):
            stack.pop()
        else:
            wrong += 1
    return wrong + len(stack)


FAULTS: dict[str, Callable[[str], int]] = {
    "c": unbalanced_c,
    "latex": latex_errors,
    "xml": xml_errors,
}


def files_of(name: str, data: Path) -> list[Path]:
    """Return the files of a corpus."""
    if name == "xml":
        from music21 import corpus

        found = sorted(Path(corpus.__file__).parent.rglob("*.xml"))
        return [path for path in found if 2000 <= path.stat().st_size <= 40_000]
    return [data / ("text/c-source/stb.txt" if name == "c" else "text/latex-stacks/stacks.txt")]


def passages(files: list[Path]) -> list[str]:
    """Return passages of a corpus that begin after blank lines."""
    text = "".join(path.read_text("utf-8") for path in files)
    begins = [found.end() for found in re.finditer(r"\n\n+", text[: -2 * LENGTH])]
    chosen = np.random.default_rng(0).choice(begins, PIECES, replace=False)
    return [text[begin : begin + LENGTH] for begin in chosen.tolist()]


def share_of_speed(run: seqgen.Run, rounds: int = 5) -> dict[str, float]:
    """Return the speed of new pieces with grammar, relative to that without, by the same model.

    Both are measured in turn, after a first round that compiles, and the fastest rounds count.
    """
    structure, shares = run.codec.structure, {}
    for pieces in (1, 32):
        spent = dict.fromkeys((False, True), float("inf"))
        for _ in range(rounds):
            for is_tracked in spent:
                run.codec.set_structure(structure if is_tracked else None)
                began = time.process_time()
                new = seqgen.generate(run, pieces, limit=LimitConfig(length=LENGTH))
                tokens = sum(len(each.ids) for each in new)
                spent[is_tracked] = min(spent[is_tracked], (time.process_time() - began) / tokens)
        shares[f"{pieces} at once"] = spent[False] / spent[True]
    run.codec.set_structure(structure)
    return shares


def measure(benchmark: Benchmark, name: str, grammar: str, folder: Path) -> dict[str, Any]:
    """Train on a corpus, and return the loss and the faults of new pieces."""
    files = files_of(name, benchmark.data)
    options = {"grammar": grammar}
    corpus = seqgen.prepare("text", files, folder / "corpus", codec="characters", options=options)
    config = seqgen.TrainConfig(**benchmark.budget, threads=1, seed=benchmark.seed)
    run = seqgen.create_run(folder / "run", corpus, train=config)
    reports = []
    for report in seqgen.train(run, corpus):
        benchmark.watch(report)
        reports.append(report)
    run = seqgen.load(folder / "run")
    began = time.process_time()
    limit = LimitConfig(length=LENGTH)
    pieces = [*seqgen.generate(run, PIECES, limit=limit, seed=benchmark.seed)]
    texts = [each.piece for each in pieces]
    seconds = time.process_time() - began
    found = {
        "valid": min(each.valid_loss for each in reports if each.valid_loss is not None),
        "unbalanced": sum(FAULTS[name](text) > 0 for text in texts),
        "faults a piece": float(np.mean([FAULTS[name](text) for text in texts])),
        "characters": float(np.mean([len(text) for text in texts])),
        "cut by the limit": sum(each.stopped_by == "length" for each in pieces),
        "tokens per processor second": sum(len(each.ids) for each in pieces) / seconds,
        "training tokens per second": reports[-1].tokens / reports[-1].seconds,
    }
    if name == "c":
        found["error nodes a piece"] = float(np.mean([c_errors(text) for text in texts]))
    if grammar != "none":
        found["share of the speed without grammar"] = share_of_speed(run)
    if benchmark.given.show:
        shown = benchmark.given.show / f"{name}-{grammar}.txt"
        shown.write_text("\n=====\n".join(texts[:20]), "utf-8")
    return found


def main() -> None:
    options = {
        **BY_TOKENS,
        "only": {"choices": [*FAULTS], "help": "one corpus"},
        "show": {"type": Path, "help": "folder for twenty pieces of each kind"},
    }
    benchmark = Benchmark("text_grammar", "unbalanced pieces", 5.0, options)
    results: dict[str, Any] = {}
    for name in [benchmark.given.only] if benchmark.given.only else FAULTS:
        for grammar in ("none", name):
            with tempfile.TemporaryDirectory() as folder:
                found = measure(benchmark, name, grammar, Path(folder))
            results[f"{name}, grammar={grammar}"] = found
            benchmark.say(f"{name} {grammar}: {found}")
    own = passages(files_of("c", benchmark.data))
    results["c, corpus"] = {"error nodes a piece": float(np.mean([c_errors(text) for text in own]))}
    with_grammar = [found for key, found in results.items() if not key.endswith(("none", "corpus"))]
    benchmark.finish(sum(each["unbalanced"] for each in with_grammar), {}, results=results)


if __name__ == "__main__":
    main()
