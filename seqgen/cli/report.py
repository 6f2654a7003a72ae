"""The table and the JSON of ``seqgen prepare --report``: the pieces of each file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from seqgen.cli.arguments import with_options
from seqgen.data.corpus import Corpus

#: Number of different values of a fact to list for a file.
LISTED = 3


def file_reports(corpus: Corpus) -> list[dict[str, Any]]:
    """Return the pieces of every file, and the sources that were left out, with reasons.

    Returns
    -------
    list of dict
        ``file``, ``pieces`` (each with source, tokens, units and facts), ``notes`` (texts) and
        ``left_out`` (each with source and reason), in the order in which the files were read.
    """
    reports: dict[str, dict[str, Any]] = {
        name: _empty(name) for name in (file["name"] for file in corpus.info["files"])
    }

    def report(source: str) -> dict[str, Any]:
        name = source if source in reports else re.sub(r", piece \d+$", "", source)
        return reports.setdefault(name, _empty(name))

    for origin in corpus.origins():
        report(origin.source)["pieces"].append(asdict(origin))
    for note in corpus.info["notes"]:
        report(note["source"])["notes"].append(note["text"])
    for source in corpus.info["duplicates"]:
        again = {"source": source, "reason": "a duplicate: the corpus has this piece"}
        report(source)["left_out"].append(again)
    for entry in corpus.info["skipped"]:
        report(entry["source"])["left_out"].append(entry)
    return list(reports.values())


def _empty(name: str) -> dict[str, Any]:
    return {"file": name, "pieces": [], "notes": [], "left_out": []}


def left_out_labels(corpus: Corpus) -> list[str]:
    """Return a line for each label that pieces have and that is not used."""
    return [
        f"label {name} is left out: {with_options(reason)}"
        for name, reason in corpus.info["labels_left_out"].items()
    ]


def table(reports: list[dict[str, Any]]) -> list[list[str]]:
    """Return the reports as rows of text; the first row names the columns."""
    pieces = [piece for report in reports for piece in report["pieces"]]
    units = [unit for unit in _names(piece["units"] for piece in pieces) if unit != "tokens"]
    facts = _names(piece["facts"] for piece in pieces)
    # Weights are shown only where there are some.
    weight = ["weight"] if any(piece["weight"] != 1 for piece in pieces) else []
    notes = ["notes"] if any(report["notes"] for report in reports) else []
    rows = [["file", "pieces", "tokens", *units, *weight, *facts, *notes, "left out"]]
    for report in reports:
        kept = report["pieces"]
        rows.append(
            [
                report["file"],
                str(len(kept)),
                f"{sum(piece['tokens'] for piece in kept):,}",
                *(_sum([piece["units"].get(unit) for piece in kept]) for unit in units),
                *(_range([piece[name] for piece in kept]) for name in weight),
                *(_range([piece["facts"].get(fact) for piece in kept]) for fact in facts),
                *("; ".join(dict.fromkeys(report[name])) for name in notes),
                _reasons(report["left_out"]),
            ]
        )
    return rows


def _names(mappings: Iterable[dict[str, Any]]) -> list[str]:
    """Return all keys, in order of first appearance."""
    return list(dict.fromkeys(name for mapping in mappings for name in mapping))


def _sum(amounts: list[float | None]) -> str:
    known = [amount for amount in amounts if amount is not None]
    return f"{sum(known):,.0f}" if known else ""


def _range(values: list[Any]) -> str:
    """Return a value, the range of several numbers, or a list of words."""
    known = list(dict.fromkeys(value for value in values if value is not None))
    if len(known) > 1 and all(isinstance(value, int | float) for value in known):
        return f"{min(known):,} to {max(known):,}"
    more = ", ..." if len(known) > LISTED else ""
    return ", ".join(f"{v:,}" if isinstance(v, int | float) else v for v in known[:LISTED]) + more


def _reasons(left_out: list[dict[str, str]]) -> str:
    reasons = list(dict.fromkeys(entry["reason"] for entry in left_out))
    more = f", and {len(left_out) - 1} pieces more" if len(left_out) > 1 else ""
    return with_options(reasons[0]) + more if reasons else ""
