"""``seqgen info``."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def info(folder: Path, *, json: bool = False) -> None:
    """Describe a run or a corpus folder.

    Parameters
    ----------
    folder
        What `seqgen train` or `seqgen prepare` made.
    json
        Print the description for programs.
    """
    from seqgen.cli.console import print_json
    from seqgen.corpus import Corpus
    from seqgen.files import CORPUS
    from seqgen.run import Run, model_card

    if (folder / CORPUS).exists():
        about = Corpus(folder).info
        text = _corpus_text(about)
    else:
        about = Run(folder).info
        text = model_card(about)
    if json:
        print_json(about)
    else:
        print(text)


def _corpus_text(about: dict[str, Any]) -> str:
    tokens = ", ".join(f"{split} {count:,}" for split, count in about["tokens"].items())
    units = ", ".join(f"{amount:,.0f} {unit}" for unit, amount in about["units"].items())
    lines = [
        f"corpus of {about['domain']}, {about['distribution']} {about['version']}",
        f"codec       {about['codec']['name']} {about['codec']['options']}",
        f"vocabulary  {len(about['vocab'])} tokens, SHA-256 {about['vocab_digest']}",
        f"pieces      {about['pieces']:,} of {len(about['files']):,} files",
        f"tokens      {tokens}; longest piece {about['longest']:,}",
        f"that is     {units}",
        f"duplicates  {len(about['duplicates'])}",
        *(f"  {source}" for source in about["duplicates"]),
        f"skipped     {len(about['skipped'])}",
        *(f"  {entry['source']}: {entry['reason']}" for entry in about["skipped"]),
    ]
    return "\n".join(lines)
