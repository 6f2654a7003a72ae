"""Promises about other processes: a codec gives the same ids there, and can be sent and copied."""

from __future__ import annotations

import copy
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from seqgen.conformance.subject import Promise, Subject, fitted, usable_pieces
from seqgen.errors import DataError, reason_of
from seqgen.options import options_from
from seqgen.plugin import Codec, Domain, Tracker
from seqgen.plugins.checks import next_mask
from seqgen.plugins.discovery import load_domain
from seqgen.plugins.files import load_plugin, plugin_files

#: Seconds that the other process may take.
SECONDS = 120

#: Files that the other process reads.
READ = 2


def encodes_alike_elsewhere(subject: Subject, folder: Path) -> None:
    """Another process, where sets have another order, fits the same state and gives the same ids.

    The order of a set of texts depends on PYTHONHASHSEED, so a vocabulary made of a set differs
    from process to process, and stored ids mean other tokens.
    """
    codec, files = subject.codec, subject.files[:READ]
    pieces = [piece for file in files for piece in usable_pieces(subject.domain, file)]
    try:
        own = fitted(type(codec), pieces, codec.options)
    except DataError:
        files, own = subject.files, codec
    request = {
        "path": sys.path,
        "plugins": [str(file.path) for file in plugin_files() if file.is_loaded],
        "domain": subject.name,
        "codec": subject.codec_name,
        "options": asdict(codec.options),
        "state": own.state(),
        "files": [str(file) for file in files],
    }
    # Zero turns the random order off, so there is one other order to compare with.
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    done = subprocess.run(
        [sys.executable, "-c", "from seqgen.conformance.processes import answer; answer()"],
        input=json.dumps(request),
        env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, f"another process failed: {done.stderr[-2000:]}"
    theirs = json.loads(done.stdout.splitlines()[-1])
    ours = _encodings(subject.domain, own, [Path(file) for file in request["files"]])
    assert theirs["vocab"] == list(own.vocab), "the rebuilt vocabulary has another order"
    assert theirs["rebuilt"] == ours, "the rebuilt codec gives other ids"
    assert theirs["state"] == json.loads(json.dumps(own.state())), "fitting gives another state"
    assert theirs["fitted"] == ours, "the codec that was fitted there gives other ids"


def answer() -> None:
    """Answer the request on standard input, as the other process of `encodes_alike_elsewhere`."""
    request = json.load(sys.stdin)
    for path in request["plugins"]:
        load_plugin(path)
    domain, _ = load_domain(request["domain"])
    codec_class = domain.codecs[request["codec"]]
    options = options_from(codec_class.options_type, request["options"], "codec")
    files = [Path(file) for file in request["files"]]
    pieces = [piece for file in files for piece in usable_pieces(domain, file)]
    rebuilt = codec_class.from_state(request["state"], options)
    own = fitted(codec_class, pieces, options)
    result = {
        "vocab": list(rebuilt.vocab),
        "state": own.state(),
        "rebuilt": _encodings(domain, rebuilt, files),
        "fitted": _encodings(domain, own, files),
    }
    print(f"\n{json.dumps(result)}")


def _encodings(domain: Domain, codec: Codec, files: list[Path]) -> list[list[int]]:
    """Return the ids of the pieces of files that a codec can encode."""
    found = []
    for piece in (piece for file in files for piece in usable_pieces(domain, file)):
        try:
            found.append(np.asarray(codec.encode(piece)).tolist())
        except DataError:
            continue
    return found


def can_be_sent_and_copied(subject: Subject, folder: Path) -> None:
    """Pickled and deep copies of the domain, the codec and a tracker do as the originals.

    Reader processes get a pickled domain and codec; candidates are copies of a tracker.
    """
    codec, piece = subject.codec, subject.pieces[0]
    assert type(_pickled(subject.domain)) is type(subject.domain)
    for copied in (_pickled, copy.deepcopy):
        twin = copied(codec)
        assert tuple(twin.vocab) == tuple(codec.vocab)
        np.testing.assert_array_equal(twin.encode(piece), codec.encode(piece))
        _follows_alike(codec, subject.ids[0].tolist()[:20], copied)


def _pickled(value: Any) -> Any:
    try:
        return pickle.loads(pickle.dumps(value))
    except Exception as error:
        name = type(value).__name__
        raise AssertionError(f"{name} cannot be pickled ({reason_of(error)})") from error


def _follows_alike(codec: Codec, ids: list[int], copied: Callable[[Any], Any]) -> None:
    """Compare a tracker with a copy that was made in the middle of a piece, until its end."""
    tracker = codec.tracker()
    if tracker is None:
        return
    for token in ids[: len(ids) // 2]:
        tracker.push(token)
    twin: Tracker = copied(tracker)
    for token in ids[len(ids) // 2 :]:
        np.testing.assert_array_equal(next_mask(codec, twin), next_mask(codec, tracker))
        np.testing.assert_array_equal(twin.features(), tracker.features())
        tracker.push(token)
        twin.push(token)


PROMISES: tuple[Promise, ...] = (encodes_alike_elsewhere, can_be_sent_and_copied)
