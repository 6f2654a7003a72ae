"""One piece that a page asked for: a thread writes it, and its events say how far it is."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from threading import Thread
from typing import Any

import numpy as np

from seqgen.config import SampleConfig
from seqgen.errors import ConfigError, PluginError, SeqgenError
from seqgen.generation.pieces import Generated
from seqgen.generation.watching import Seen, watch
from seqgen.report.samples import Samples
from seqgen.run.folder import Run
from seqgen.serve.asking import MOST_TOKENS, Order
from seqgen.serve.events import Events
from seqgen.serve.places import without_places
from seqgen.stepping.stepper import Stepper
from seqgen.view import View, difference

#: Seconds between two events.
PACE = 0.03

#: Seconds after which a piece stops to which no page listens.
GRACE = 15.0

#: Decoding what is there so far takes at most this share of the time.
SHARE = 0.25


class Session:
    """A piece in progress, or finished.

    Parameters
    ----------
    run : Run
    stepper : Stepper
        A copy is made of it.
    order : Order
    log : callable
        Gets what a fault of a plugin is, for the terminal.

    Attributes
    ----------
    events : Events
        ``note`` (what is waited for), ``tokens`` (at, tokens: each with id, text and surprise in
        nats), ``view`` (as `seqgen.view.difference`), ``settings`` (at, sample: those that hold
        from a token on), and last ``done`` or ``error``.
    ids : list of int
        The tokens so far.
    generated : Generated or None
        The piece, when it is done.
    changes : list of (int, SampleConfig)
        Settings of drawing that were changed, and from which token on they hold.
    kept : Samples or None
        Where the piece is in the run folder, if it was kept.
    """

    def __init__(
        self,
        run: Run,
        stepper: Stepper,
        order: Order,
        log: Callable[[str], None],
    ) -> None:
        self.order, self.events, self.ids = order, Events(), list[int]()
        self.generated: Generated | None = None
        self.changes: list[tuple[int, SampleConfig]] = []
        self.kept: Samples | None = None
        self._sample = self._wanted = self._completed(order.asked.sample, run)
        self._run, self._stepper, self._log = run, stepper, log
        self._logs: list[float | None] = []
        self._new = 0  # position of the first token that was not sent
        self._texts = Texts(run)
        self._is_stopped = False
        self._sent = self._shown_at = -math.inf
        self._decoding = 0.0
        self._view: View | None = None
        self._thread = Thread(target=self._write, name="seqgen-piece", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Let the piece close what is open and end; what is there stays."""
        self._is_stopped = True

    def draw_by(self, sample: SampleConfig) -> None:
        """Draw by these settings from the next token on.

        Raises
        ------
        ConfigError
            If the piece is done, or the guidance differs.
        """
        sample = self._completed(sample, self._run)
        if not self.is_live:
            raise ConfigError("the piece is done, so its settings stay; write another one")
        if sample.guidance != self._sample.guidance:
            raise ConfigError("the guidance of a piece stays; write another one with this guidance")
        self._wanted = sample

    @staticmethod
    def _completed(sample: SampleConfig, run: Run) -> SampleConfig:
        return sample.completed(**run.sampling)

    def _new_sample(self, count: int) -> SampleConfig | None:
        """Return the settings that hold from token `count` on, if they have changed."""
        wanted = self._wanted
        if wanted == self._sample:
            return None
        before, self._sample = self._sample, wanted
        self.changes.append((count, wanted))
        new = {name: value for name, value in vars(wanted).items() if value != vars(before)[name]}
        self.events.add("settings", {"at": count, "sample": new})
        return wanted

    @property
    def command(self) -> str:
        """The command line that writes the same piece; empty if there is none."""
        return "" if self.changes else self.order.command

    @property
    def is_live(self) -> bool:
        """Whether the piece is being written."""
        return self._thread.is_alive()

    def join(self, seconds: float) -> None:
        """Wait for the thread to end."""
        self._thread.join(seconds)

    def _write(self) -> None:
        """Write the piece; every end of it becomes an event."""
        try:
            stepper = copy.copy(self._stepper)
            steps = watch(self._run, stepper, self.order.asked, self._has_to_stop, self._new_sample)
            while self.generated is None:
                try:
                    self._take(next(steps))
                except StopIteration as end:
                    self.generated = end.value
            self._send(is_last=True)
            self.events.add("done", self._summary(self.generated))
        except PluginError as error:
            self._log(str(error))
            self.events.add("error", {"error": "a plugin failed; the terminal says where"})
        except SeqgenError as error:
            said = without_places(str(error), self._run.folder)
            self.events.add("error", {"error": said})
        except Exception as error:
            self._log(f"a piece failed: {type(error).__name__}: {error}")
            self.events.add("error", {"error": "the piece failed; the terminal says why"})
        finally:
            self.events.close()

    def _has_to_stop(self, count: int) -> bool:
        return self._is_stopped or count >= MOST_TOKENS or self.events.alone > GRACE

    def _take(self, seen: Seen) -> None:
        self.ids[seen.at :] = seen.ids
        self._logs[seen.at :] = seen.log_probabilities
        self._new = min(self._new, seen.at)
        if time.monotonic() - self._sent >= PACE:
            self._send(is_last=False)

    def _send(self, *, is_last: bool) -> None:
        """Add events for what has not been sent."""
        if self._new < len(self.ids) or is_last:
            at, self._new = self._new, len(self.ids)
            self.events.add("tokens", {"at": at, "tokens": self._tokens(at)})
        now = time.monotonic()
        if is_last or now - self._shown_at > self._decoding / SHARE:
            self._show()
            self._shown_at = time.monotonic()
            self._decoding = self._shown_at - now
        self._sent = time.monotonic()

    def _tokens(self, at: int) -> list[list[Any]]:
        """Return id, text and surprise of the tokens from a position on."""
        shown = zip(self.ids[at:], self._texts.of(self.ids, at), self._logs[at:], strict=True)
        return [
            [token, text, None if log is None else round(-log, 4)] for token, text, log in shown
        ]

    def _show(self) -> None:
        """Add an event for what a page draws, if the domain has a view."""
        if self._run.codec.text_stream() is not None:
            return
        if self.generated is None:
            piece = self._run.codec.decode(np.array(self.ids, np.int64))
        else:
            piece = self.generated.piece
        view = self._run.domain.view(piece)
        if view is not None and view != self._view:
            self.events.add("view", difference(self._view, view))
            self._view = view

    def _summary(self, piece: Generated) -> dict[str, Any]:
        return {
            "stopped_by": piece.stopped_by,
            "tokens": len(piece.ids),
            "prompt_tokens": piece.prompt,
            "nats": round(-piece.log_probability_per_token, 4),
            "seconds": round(piece.seconds, 3),
            "command": self.command,
        }


class Texts:
    """The text that each id of a growing piece adds; where pieces are no text, the id's name."""

    def __init__(self, run: Run) -> None:
        self._run, self._read = run, list[int]()
        self._stream = run.codec.text_stream()

    def of(self, ids: list[int], start: int) -> list[str]:
        """Return the texts of the ids from `start` on."""
        if self._stream is None:
            return [self._run.vocab.names[token] for token in ids[start:]]
        if start != len(self._read) or ids[:start] != self._read:
            self._stream = self._run.codec.text_stream()
            assert self._stream is not None
            for token in ids[:start]:
                self._stream(token)
        self._read = ids[:]
        return [self._stream(token) for token in ids[start:]]
