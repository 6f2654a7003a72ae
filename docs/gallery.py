"""Make the page `gallery.md`: two new pieces of each domain that comes with a model.

    python docs/gallery.py

The seeds are 0 and 1 and the settings are the defaults, so nothing is chosen. Pictures of the
pieces go to `images`, MIDI files to `sounds`. Other runs take part by ``--runs music=RUN``.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import seqgen
from seqgen.plugins.discovery import bundled_model

DOCS = Path(__file__).parent

#: Texts to write where a model writes given texts, one for each piece.
SENTENCES = ("Dear Anna, thank you for your letter.", "See you on Friday at 7:30!")

#: Most tokens of a text; pieces of other domains end by themselves.
LENGTH = 400

#: The files of a piece, by domain: their suffixes, their folders, and what the page shows.
FILES = {
    "music": ((".svg", "images", "![{name}]({path})"), (".mid", "sounds", "[MIDI file]({path})")),
    "handwriting": ((".svg", "images", "![{name}]({path})"),),
    "speech": ((".mp3", "sounds", "[listen]({path})"),),
    "text": (),
}


def pieces(domain: str, run: seqgen.Run) -> Iterator[tuple[str, seqgen.Generated]]:
    """Yield two new pieces, each with the command that writes it."""
    for seed, sentence in enumerate(SENTENCES):
        if domain == "text":
            words, asked = f" --length {LENGTH}", {"limit": LENGTH}
        elif domain == "music":
            words, asked = "", {}
        else:
            words, asked = f' --given "{sentence}"', {"condition": sentence}
        [new] = seqgen.generate(run, seed=seed, **asked)
        yield f"seqgen generate {domain}{words} --seed {seed}", new


def shown(domain: str, number: int, new: seqgen.Generated) -> Iterator[str]:
    """Write the files of a piece, and yield what the page has of each."""
    if domain == "text":
        yield f"```text\n{new.piece}\n```"
    for suffix, folder, pattern in FILES[domain]:
        name = f"gallery-{domain}-{number}{suffix}"
        with tempfile.TemporaryDirectory() as place:
            [file] = new.save(Path(place) / name)
            shutil.copy(file, DOCS / folder / name)
        yield pattern.format(name=f"{domain}, seed {number}", path=f"{folder}/{name}")


def section(domain: str, run: seqgen.Run) -> str:
    """Return the part of the page about a domain."""
    parts = [f"## {domain.capitalize()}"]
    for number, (command, new) in enumerate(pieces(domain, run)):
        parts += [f"`{command}`", *shown(domain, number, new)]
    return "\n\n".join(parts)


def main() -> None:
    """Write the page and its files."""
    parser = argparse.ArgumentParser(description="Make the gallery of the documentation.")
    parser.add_argument("--runs", nargs="*", default=[], metavar="DOMAIN=RUN")
    named = dict(each.split("=", 1) for each in parser.parse_args().runs)
    runs = {name: named.get(name, name) for name in FILES if name in named or bundled_model(name)}
    parts = [
        "# Gallery",
        "Each domain that comes with a small model shows two new pieces, with the seeds 0 and 1\n"
        "and the default settings. Nothing was chosen. `python docs/gallery.py` makes this page.",
        *(section(name, seqgen.load(place)) for name, place in runs.items()),
    ]
    (DOCS / "gallery.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
