"""The model of a run, the prompts that were read, and the pieces that pages asked for."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from dataclasses import asdict, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any, TypeVar

import numpy as np

from seqgen.bounds import Within, bounded_hints
from seqgen.compiling import told_of_compiling
from seqgen.conditions.unlabelled import header_size, labels_of, unlabelled
from seqgen.config import LimitConfig, SampleConfig
from seqgen.data.corpus import Corpus
from seqgen.errors import ConfigError, CorpusError, DataError
from seqgen.generation.pieces import Generated
from seqgen.generation.watching import Asked, alternatives, watch
from seqgen.options import described
from seqgen.plugins.discovery import load_domain
from seqgen.report.page import novelty_text
from seqgen.run.card import beaten_by
from seqgen.run.folder import Run
from seqgen.serve.asking import (
    DRAWING,
    FIRST_PATIENCE,
    LIMITS,
    MOST_TOKENS,
    PATIENCE,
    Order,
    Prompt,
    check_names,
    only_piece,
    read_prompt_of,
    read_request,
    read_sample,
)
from seqgen.serve.finished import as_file, formats, keep, novelty
from seqgen.serve.places import shown_folder, without_places
from seqgen.serve.session import Session, Texts
from seqgen.stepping.stepper import choose_stepper

#: Most pieces that are written at once, that are kept, and prompts that are kept.
MOST_LIVE, MOST_PIECES, MOST_PROMPTS = 32, 128, 128

#: Alternatives that are shown of a token.
ALTERNATIVES = 8

#: Tokens that are written before the first page asks.
WARM = 8

#: Seconds that a beginning waits for another one to be read.
QUEUE = 30.0

COMPILING = "compiling for this processor, which may take a minute; the next start is fast"

Kept = TypeVar("Kept")


class Busy(ConfigError):
    """As many pieces are being written, or files read, as can be."""


class Missing(DataError):
    """There is no piece or prompt of a name."""


class Playground:
    """One run, for any number of pages.

    Parameters
    ----------
    run : Run
    log : callable
        Gets messages for the terminal.
    """

    def __init__(self, run: Run, log: Callable[[str], None]) -> None:
        self._run, self._log = run, log
        self._stepper = choose_stepper(run, 1)
        self._prompts: OrderedDict[str, Prompt] = OrderedDict()
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._lock, self._reading, self._keeping, self._count = Lock(), Lock(), Lock(), 0
        self._corpus, self._comparing = _corpus_of(run), Lock()
        self._is_closed = self.is_compiling = self._has_read = False

    def warm_up(self) -> None:
        """Write some tokens and read them as a file, which compiles what the first page needs."""
        asked = Asked(limit=LimitConfig(length=WARM))
        with suppress(Exception):  # Later pieces and prompts tell of their faults.
            with told_of_compiling(self._notice):
                steps = watch(self._run, copy.copy(self._stepper), asked, lambda _: self._is_closed)
                piece = _last(steps).piece
            self.is_compiling = False
            if self._run.codec.text_stream() is None:
                self._read_back(piece)
        self.is_compiling = False

    def _read_back(self, piece: Any) -> None:
        """Read a piece from its file in the process that reads the files of pages."""
        with self._reading, TemporaryDirectory(prefix="seqgen-") as folder:
            path = Path(folder) / f"first{self._exact}"
            self._run.domain.write(piece, path, self._run.domain.write_options())
            only_piece(self._run, path, FIRST_PATIENCE)
            self._has_read = True

    def _notice(self) -> None:
        self.is_compiling = True

    def close(self) -> None:
        """Stop all pieces, and end their connections; no new piece begins."""
        with self._lock:
            self._is_closed = True
            for session in self._sessions.values():
                session.stop()
                session.events.close()  # A step may take longer than the server waits.

    def told(self, error: Exception) -> str:
        """Return the message of an error, without folders of this machine."""
        return without_places(str(error), self._run.folder)

    def join(self, seconds: float) -> None:
        """Wait for the threads of all pieces, each for so long at most."""
        for session in self._all():
            session.join(seconds)

    def about(self) -> dict[str, Any]:
        """Return what a page has to know of the run, as JSON."""
        run, info = self._run, self._run.info
        baseline, best = info.get("baseline"), info.get("result")
        empty = run.domain.view(run.codec.decode(np.zeros(0, np.int64)))
        is_text = run.codec.text_stream() is not None
        return {
            "name": run.title,
            "domain": info["domain"],
            "codec": info["codec"]["name"],
            "view": "text" if is_text else empty.kind if empty else "tokens",
            "is_typed": is_text,
            "follows_text": run.codec.dictation is not None,
            "has_corpus": self._corpus is not None,
            "suffixes": load_domain(info["domain"])[1].suffixes,
            "formats": formats(run),
            "rewrites": unlabelled(run.codec).rewrites,
            "units": list(dict.fromkeys(["tokens", *run.codec.units(np.zeros(0, np.int64))])),
            "labels": {label.name: [*label.values] for label in labels_of(run.codec)},
            "requests": {
                name: {"about": each.about, "offer": each.offer}
                for name, each in run.codec.requests.items()
            },
            "controls": self._controls(),
            "most_tokens": MOST_TOKENS,
            "warning": beaten_by(baseline, best) if baseline and best else "",
        }

    def _controls(self) -> list[dict[str, Any]]:
        """Return name, default, bounds and sentence of each setting."""
        found = []
        for config, names in ((SampleConfig, DRAWING), (LimitConfig, LIMITS[:2])):
            sentences = {each["name"]: each["about"] for each in described(config)}
            defaults = {each.name: each.default for each in fields(config)} | self._run.sampling
            for name in names:
                hint = bounded_hints(config)[name]
                [bounds] = [each for each in hint.__metadata__ if isinstance(each, Within)]
                found.append(
                    {
                        "name": name,
                        "default": defaults[name],
                        "least": min((bounds.least, *bounds.besides)),
                        "most": bounds.most,
                        "about": sentences[name],
                    }
                )
        return found

    def read_prompt(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Read a prompt; return its name for a piece, its tokens and what the page draws of it."""
        if not self._reading.acquire(timeout=QUEUE):
            raise Busy("another beginning is being read; try again in some seconds")
        try:
            patience = PATIENCE if self._has_read else FIRST_PATIENCE
            prompt = read_prompt_of(self._run, body, self._exact_file, patience)
            self._has_read = self._has_read or "content" in body
        finally:
            self._reading.release()
        with self._lock:
            name = self._keep(self._prompts, prompt, MOST_PROMPTS)
        ids, view, codec = prompt.ids.tolist(), None, unlabelled(self._run.codec)
        if codec.text_stream() is None:
            # A prompt is shown as the codec reads it.
            view = self._run.domain.view(codec.decode(prompt.ids) if ids else prompt.piece)
        return {
            "prompt": name,
            "role": "prompt" if ids else "given",
            "tokens": [*map(list, zip(ids, Texts(self._run).of(ids, 0), strict=True))],
            "view": None if view is None else {"at": 0, "parts": view.parts, "about": view.about},
        }

    @property
    def _exact(self) -> str:
        return self._run.domain.exact_format or self._run.domain.formats[0]

    def _exact_file(self, name: str) -> tuple[str, bytes]:
        return self.file(name, self._exact)

    def begin(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Begin a piece; return its name and its command line."""

        def begun(name: str) -> tuple[list[int], Order]:
            session = self.session(name)
            return session.ids, session.order

        order = read_request(
            self._run, body, lambda name: _found(self._prompts, name, "prompt"), begun
        )
        session = Session(self._run, self._stepper, order, self._log)
        with self._lock:  # Requests that come together would begin more than the most.
            if self._is_closed:
                raise Busy("the server is ending")
            if sum(each.is_live for each in self._sessions.values()) >= MOST_LIVE:
                raise Busy(f"{MOST_LIVE} pieces are being written; stop one, or wait for its end")
            name = self._keep(self._sessions, session, MOST_PIECES)
            if self.is_compiling:
                session.events.add("note", {"note": COMPILING})
            session.start()
        return {"piece": name, "command": order.command}

    def session(self, name: str) -> Session:
        """Return a piece by its name.

        Raises
        ------
        Missing
            If there is none, or it is no longer kept.
        """
        return _found(self._sessions, name, "piece")

    def alternatives(self, name: str, place: int) -> list[dict[str, Any]]:
        """Return what else could have come at a position of a piece, with probabilities."""
        session, run = self.session(name), self._run
        if not header_size(run.codec) <= place <= len(session.ids):
            raise DataError(
                f"at must be from {header_size(run.codec)} to {len(session.ids):,}, found {place:,}"
            )
        before = session.ids[:place]
        stepper, condition = copy.copy(self._stepper), session.order.asked.condition
        ids = np.array(before, np.int64)
        found = alternatives(run, stepper, ids, condition, ALTERNATIVES)
        return [
            {"id": token, "text": self._shown(before, token), "probability": round(share, 5)}
            for token, share in found
        ]

    def _shown(self, before: list[int], token: int) -> str | None:
        """Return the text of a token after others; None for the end of a piece."""
        if token == self._run.vocab.end:
            return None
        return Texts(self._run).of([*before, token], len(before))[0]

    def change(self, name: str, body: Mapping[str, Any]) -> None:
        """Draw a piece by other settings from the next token on."""
        check_names(body, ("sample",))
        self.session(name).draw_by(read_sample(body))

    def keep(self, name: str) -> dict[str, Any]:
        """Write a finished piece into the run folder, once; return where it is."""
        session = self.session(name)
        with self._keeping:
            session.kept = session.kept or keep(self._run, session)
        folder = shown_folder(self._run, session.kept.folder)
        return {"folder": folder, "files": [path.name for path in session.kept.paths]}

    def novelty(self, name: str) -> dict[str, Any]:
        """Return what a finished piece copies from the training pieces."""
        session = self.session(name)
        if self._corpus is None:
            raise DataError(
                "the corpus of this run is not found; start the playground again with its place"
            )
        with self._comparing:
            found = asdict(novelty(self._corpus, session))
        copied = {str(length): share for length, share in found["copied"].items()}
        return found | {"copied": copied, "about": novelty_text(found)}

    def file(self, name: str, suffix: str) -> tuple[str, bytes]:
        """Return a finished piece as a file: its name and content; several files as one archive."""
        return as_file(self._run, self.session(name), name, suffix)

    def _all(self) -> tuple[Session, ...]:
        with self._lock:
            return tuple(self._sessions.values())

    def _keep(self, kept: OrderedDict[str, Kept], value: Kept, most: int) -> str:
        """Keep a value under a new name; the oldest is dropped. The caller has the lock."""
        self._count += 1
        name = str(self._count)
        kept[name] = value
        if len(kept) > most:
            _, oldest = kept.popitem(last=False)
            if isinstance(oldest, Session):
                oldest.stop()
        return name


def _corpus_of(run: Run) -> Corpus | None:
    """Return the corpus of a run, or None if it is not found."""
    try:
        return run.corpus()
    except CorpusError:
        return None


def _last(steps: Generator[Any, None, Generated]) -> Generated:
    """Return the piece at the end of its steps."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            piece: Generated = end.value
            return piece


def _found(kept: Mapping[str, Kept], name: str, kind: str) -> Kept:
    if name not in kept:
        raise Missing(f"there is no {kind} {name!r}; the server keeps the last ones only")
    return kept[name]
