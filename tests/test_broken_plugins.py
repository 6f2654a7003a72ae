"""Sixty plugins, each broken in its own way: each is reported, and none harms another domain.

A report names the distribution, the place in the author's code, and the rule. A row changes one
passage of a sound plugin; the sound plugin itself keeps every promise that the rows break.
"""

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import seqgen
from seqgen.conformance.outcomes import Outcome
from seqgen.errors import SeqgenError
from seqgen.plugins import faults as plugin_faults
from seqgen.plugins.discovery import find_domains, load_domain
from seqgen.testing import PROMISES, Check, Material, run_checks

HOOK = """
from seqgen.plugin import DomainSpec, hookimpl

@hookimpl
def seqgen_domains():
    return [DomainSpec("NAME", "letters", (".abc",), "seqgen_NAME.domain:Letters", contract=2)]
"""

#: Letters with a feature (was the last one an "a"?), and a grammar: "b" never follows "b".
DOMAIN = '''
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
import numpy as np
from seqgen.errors import DataError
from seqgen.grammar import packed, unpacked
from seqgen.plugin import Codec, Criticism, Domain, Metric
from seqgen.unknown import Mended

NOISE = []

@dataclass(frozen=True)
class Options:
    """Options of the codec."""

    order: Literal["up", "down"] = "up"
    """The order of the alphabet."""

class Tokens(Codec):
    """One token a letter."""

    options_type = Options
    feature_sizes = (2,)

    def __init__(self, options, vocab):
        self.options, self.vocab = options, tuple(vocab)
        table = np.ones((len(vocab) + 1, len(vocab) + 1), bool)
        table[self.vocab.index("b"), self.vocab.index("b")] = False
        self.rows = packed(table)
        self.a = self.vocab.index("a")

    @classmethod
    def fit(cls, pieces, options):
        letters = {letter for piece in pieces for letter in piece} | {"a", "b"}
        return cls(options, sorted(letters, reverse=options.order == "down"))

    def encode(self, piece):
        if not set(piece) <= set(self.vocab):
            raise DataError("unknown letters")
        return np.array([self.vocab.index(letter) for letter in piece], np.int64)

    def decode(self, ids):
        return "".join(self.vocab[token] for token in ids)

    def state(self):
        return {"vocab": list(self.vocab)}

    @classmethod
    def from_state(cls, state, options):
        return cls(options, state["vocab"])

    def features(self, ids):
        return np.r_[0, np.asarray(ids) == self.a].astype(np.int64)[:, None]

    def masks(self, ids):
        return self.rows[np.append(-1, np.asarray(ids, np.int64))]

    def tracker(self, condition=None):
        return Follower(self.rows, len(self.vocab) + 1, self.a)

    def augment(self, ids, rng):
        return ids

    def passages(self, ids):
        return np.array([int(np.sum(np.asarray(ids)[:4]))], np.int64)

    def units(self, ids):
        return {"letters": float(len(ids))}

    def place(self, ids, position):
        return f"letter {position + 1}"

    def text_stream(self):
        return self.vocab.__getitem__

    def continuation(self, ids, start):
        return ids[start:]

class Follower:
    def __init__(self, rows, count, a):
        self.rows, self.count, self.a, self.last, self.steps = rows, count, a, -1, 0

    def features(self):
        return (int(self.last == self.a),)

    def allowed(self):
        return unpacked(self.rows[self.last], self.count)

    def closing(self, room):
        mask = unpacked(self.rows[self.last], self.count)
        mask[:-1] &= room > 0
        return mask

    def forced(self):
        return None

    def push(self, token):
        self.last, self.steps = token, self.steps + 1

class Letters(Domain):
    codecs = {"tokens": Tokens}
    formats = (".abc",)

    def critic(self, pieces):
        usual = {letter for piece in pieces for letter in piece}
        return lambda piece, condition: Criticism(tuple(sorted({*piece} - usual)))

    def read(self, path, options):
        text = path.read_text("ascii", "replace").strip()
        if not text or not text.isalpha() or not text.isascii():
            raise DataError("expected letters")
        return [text]

    def write(self, piece, path, options):
        path.write_text(piece + "\\n")
        return [path]

    def preview(self, piece):
        return {"text/plain": piece or "nothing"}

    def describe(self, piece):
        return {"letters": len(piece)}

    def labels(self, piece):
        return {"first": piece[0]}

    def metrics(self, generated, reference):
        one, two = ([float(len(piece)) for piece in some] for some in (generated, reference))
        return {"length": Metric("letters", np.array(one), np.array(two))}

    def demo(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        for number, text in enumerate(("abcabcadcb", "cababcadabc", "dabcdbacbacd", "cdabcdacb")):
            (folder / f"{number}.abc").write_text(text * (3 + number))
        return sorted(folder.glob("*.abc"))
'''

#: Plugins whose announcement is broken: the module, and what the list says about them.
ANNOUNCED = {
    "no_library": ("import no_such_library", "No module named 'no_such_library'"),
    "exits": ("import sys\nsys.exit(3)", "SystemExit: 3, which would have ended the process"),
    "kills": ("import os\nos._exit(3)", "os._exit(3), which would have ended the process"),
    "syntax": ("def (", "SyntaxError"),
    "no_hook": ("x = 1", "implements no hook seqgen_domains"),
    "misspelt": (HOOK.replace("seqgen_domains", "seqgen_domain"), "unknown hook 'seqgen_domain'"),
    "hook_raises": (HOOK.replace("return", "raise KeyError(3)\n    return"), "KeyError: 3"),
    "no_list": (HOOK.replace("return [", "return None and ["), "implements no hook"),
    "no_spec": (HOOK.replace("return [", "return ['go'] or ["), "DomainSpec objects, found 'go'"),
    "one_suffix": (
        HOOK.replace('(".abc",)', '".abc"'),
        "suffixes of the DomainSpec must be of type",
    ),
    "other_name": (HOOK.replace('"NAME"', '"else"'), "offers else"),
    "old": (HOOK.replace("contract=2", "contract=1"), "was written for contract 1"),
    "new": (HOOK.replace("contract=2", "contract=3"), "upgrade seqgen-toolkit"),
}

#: Plugins that cannot be loaded when they are used: the passage, its change, and the message.
LOADED = {
    "no_class": ("class Letters(Domain)", "class Other(Domain)", "has no attribute 'Letters'"),
    "import_later": ("NOISE = []", "import no_such_library", "No module named"),
    "init_raises": (
        "    formats = ",
        "    def __init__(self):\n        raise KeyError(5)\n    formats = ",
        "KeyError: 5",
    ),
    "init_argument": (
        "    formats = ",
        "    def __init__(self, size):\n        pass\n    formats = ",
        "missing 1 required positional argument: 'size'",
    ),
    "no_demo": ("def demo", "def example", "Letters lacks demo, which every Domain has"),
    "no_write": ("def write", "def save", "Letters lacks write"),
    "no_codecs": ('codecs = {"tokens": Tokens}', "pass", "Letters lacks codecs"),
    "exits_later": ("NOISE = []", "import sys\nsys.exit(3)", "SystemExit: 3, which would have"),
    "no_decode": ("def decode", "def unpack", "Tokens lacks decode, which every Codec has"),
    "no_state": ("def state", "def save", "Tokens lacks state"),
    "no_options": ("options_type = Options", "pass", "Tokens lacks options_type"),
    "open_options": ("@dataclass(frozen=True)", "@dataclass", "must be frozen"),
    "bare_options": ('= "up"', "", "has no default"),
}

#: Plugins that break a promise: the promise, the passage, its change, words of the report, and the
#: method that it names.
BROKEN = {
    "set_vocab": (
        "encodes_alike_elsewhere",
        'return cls(options, sorted(letters, reverse=options.order == "down"))',
        "return cls(options, list(letters | set('efghijk')))",
        "gives another state",
        "Tokens.fit",
    ),
    "set_in_init": (
        "encodes_alike_elsewhere",
        "self.options, self.vocab = options, tuple(vocab)",
        "vocab = tuple({*vocab, *'efghijk'})\n        self.options, self.vocab = options, vocab",
        "has another order",
        "Tokens.from_state",
    ),
    "lambda_codec": (
        "can_be_sent_and_copied",
        'self.a = self.vocab.index("a")',
        'self.a = self.vocab.index("a")\n        self.key = lambda letter: letter',
        "pickle",
        "Tokens.from_state",
    ),
    "open_file": (
        "can_be_sent_and_copied",
        "self.rows, self.count, self.a, self.last, self.steps = rows, count, a, -1, 0",
        "self.rows, self.count, self.a, self.last, self.steps = rows, count, a, -1, 0\n"
        "        self.log = (line for line in [])",
        "cannot pickle 'generator' object",
        "Tokens.tracker",
    ),
    "shared_tracker": (
        "copies_its_tracker",
        "    def forced(self):",
        "    def __deepcopy__(self, memo):\n        return self\n    def forced(self):",
        "",
        "Tokens.tracker",
    ),
    "grown_state": (
        "has_a_small_state",
        'return cls(options, sorted(letters, reverse=options.order == "down"))',
        "pieces, made = list(pieces), cls(options, sorted(letters))\n"
        "        made.state = lambda: {'vocab': list(made.vocab), 'all': pieces}\n"
        "        return made",
        "the state grew from",
        "Tokens.state",
    ),
    "long_piece": (
        "takes_short_and_long_pieces",
        "    def decode(self, ids):\n",
        "    def decode(self, ids):\n        if len(ids) > 999: raise RecursionError('too deep')\n",
        "decode must return a piece for any ids and never fail",
        "Tokens.decode",
    ),
    "short_piece": (
        "takes_short_and_long_pieces",
        'return {"letters": float(len(ids))}',
        'return {"letters": float(len(ids))} if ids[1] >= 0 else {}',
        "units must work for any ids and never fail",
        "Tokens.units",
    ),
    "tired_tracker": (
        "walks_on",
        "return unpacked(self.rows[self.last], self.count)",
        "return unpacked(self.rows[self.last], self.count) & (self.steps < 300)",
        "no token is allowed after 300 tokens",
        "Tokens.tracker",
    ),
    "failing_tracker": (
        "walks_on",
        "self.last, self.steps = token, self.steps + 1",
        "self.last, self.steps = token, self.steps + 1\n        ([0] * 400)[self.steps]",
        "push must take any id and never fail",
        "Follower.push",
    ),
    "one_order": (
        "works_with_other_options",
        'return cls(options, state["vocab"])',
        'return cls(options, sorted(state["vocab"]))',
        "with order='down' another codec is rebuilt",
        "Tokens.from_state",
    ),
    "other_option_fails": (
        "works_with_other_options",
        "        letters = {letter for",
        "        {'up': 1}[options.order]\n        letters = {letter for",
        "fit may raise DataError",
        "Tokens.fit",
    ),
    "text_for_list": (
        "reads_pieces",
        "return [text]",
        "return text",
        "read must return pieces in a list or one by one, found str",
        "Letters.read",
    ),
    "nothing_for_list": (
        "reads_pieces",
        "return [text]",
        "return None",
        "read must return pieces in a list or one by one, found NoneType",
        "Letters.read",
    ),
    "none_piece": (
        "has_pieces",
        "return [text]",
        "return [text, None]",
        "read must return pieces in a list or one by one, found None in place of a piece",
        "Letters.read",
    ),
    "bad_files_crash": (
        "refuses_bad_files",
        "        if not text or not text.isalpha() or not text.isascii():\n"
        '            raise DataError("expected letters")\n',
        "        text[0]\n",
        "IndexError",
        "Letters.read",
    ),
    "named_like_labels": (
        "works_with_labels",
        "self.options, self.vocab = options, tuple(vocab)",
        "self.options, self.vocab = options, (*vocab, 'checked=yes')",
        "the codec has tokens such as 'checked=yes' of its own",
        "Tokens.vocab",
    ),
    "wrong_labels": (
        "labels_pieces",
        'return {"first": piece[0]}',
        'return {"first": len(piece)}',
        "('first', ",
        "Letters.labels",
    ),
    "unlisted_file": (
        "writes_every_format",
        "return [path]",
        "return [path, path.with_suffix('.txt')]",
        "No such file or directory",
        "Letters.write",
    ),
    "file_twice": (
        "writes_every_format",
        "return [path]",
        "return [path, path]",
        "a file is listed twice",
        "Letters.write",
    ),
    "exact_format": (
        "survives_files",
        '    formats = (".abc",)\n',
        '    formats = (".abc",)\n    exact_format = ".json"\n',
        "exact_format is '.json'; it must be one of .abc",
        "Letters.write",
    ),
    "lost_letters": (
        "survives_files",
        'path.write_text(piece + "\\n")',
        'path.write_text(piece[:-1] + "\\n")',
        "Arrays are not equal",
        "Letters.write",
    ),
    "float_ids": (
        "has_pieces",
        "for letter in piece], np.int64)",
        "for letter in piece], float)",
        "must give ids as whole numbers in one row, found float64",
        "Tokens.encode",
    ),
    "ids_outside": (
        "has_pieces",
        "[self.vocab.index(letter) for letter in piece]",
        "[self.vocab.index(letter) + 2 for letter in piece]",
        "must give ids from 0 to 3, found 2 to 5",
        "Tokens.encode",
    ),
    "fit_fails": (
        "has_pieces",
        "        letters = {letter for",
        "        1 / 0\n        letters = {letter for",
        "fit may raise DataError",
        "Tokens.fit",
    ),
    "encodes_nothing": (
        "has_pieces",
        "if not set(piece) <= set(self.vocab):",
        "if piece:",
        "can encode no piece of 4 files",
        "Tokens.encode",
    ),
    "no_files": (
        "has_pieces",
        'return sorted(folder.glob("*.abc"))',
        "return []",
        "demo returned none",
        "Letters.demo",
    ),
    "other_way_back": (
        "round_trips",
        'return "".join(self.vocab[token] for token in ids)',
        'return "".join(self.vocab[token] for token in reversed(ids))',
        "Mismatch",
        "Tokens.decode",
    ),
    "picky_decode": (
        "decodes_anything",
        'return "".join(self.vocab[token] for token in ids)',
        'return "".join(self.vocab[token] for token in ids) if len(ids) else 1 / 0',
        "decode must return a piece for any ids and never fail",
        "Tokens.decode",
    ),
    "state_of_sets": (
        "saves_its_state",
        'return {"vocab": list(self.vocab)}',
        'return {"vocab": set(self.vocab)}',
        "not JSON serializable",
        "Tokens.state",
    ),
    "ordered_fit": (
        "fits_in_any_order",
        'return cls(options, sorted(letters, reverse=options.order == "down"))',
        'letters = dict.fromkeys("".join(pieces)) if isinstance(pieces, list) else letters\n'
        "        return cls(options, list(letters))",
        "",
        "Tokens.fit",
    ),
    "peeking_features": (
        "has_features_of_the_past",
        "return np.r_[0, np.asarray(ids) == self.a].astype(np.int64)[:, None]",
        "return np.r_[np.asarray(ids) == self.a, 0].astype(np.int64)[:, None]",
        "Mismatch",
        "Tokens.features",
    ),
    "wide_features": (
        "has_features_in_range",
        "return np.r_[0, np.asarray(ids) == self.a]",
        "return np.r_[0, 2 * (np.asarray(ids) == self.a)]",
        "AssertionError",
        "Tokens.features",
    ),
    "other_features": (
        "tracks_its_features",
        "return (int(self.last == self.a),)",
        "return (int(self.last != self.a),)",
        "Mismatch",
        "Tokens.tracker",
    ),
    "strict_tracker": (
        "allows_real_pieces",
        'table[self.vocab.index("b"), self.vocab.index("b")] = False',
        'table[self.vocab.index("b"), self.vocab.index("c")] = False',
        "AssertionError",
        "Tokens.tracker",
    ),
    "loose_tracker": (
        "masks_as_it_tracks",
        "return unpacked(self.rows[self.last], self.count)",
        "return None",
        "the tracker allows ids [1] more at position",
        "Tokens.masks",
    ),
    "late_end": (
        "ends_within_a_limit",
        "mask[:-1] &= room > 0",
        "mask[-1] = False",
        "closing(0) leads to no end within 1,000 tokens",
        "Tokens.tracker",
    ),
    "loose_end": (
        "ends_within_a_limit",
        "mask[:-1] &= room > 0",
        "mask[:-1] = room > 0",
        "allows ids [1] more",
        "Tokens.tracker",
    ),
    "short_masks": (
        "masks_as_it_tracks",
        "return self.rows[np.append(-1, np.asarray(ids, np.int64))]",
        "return self.rows[np.asarray(ids, np.int64)]",
        "must give masks as uint8 (1, 1)",
        "Tokens.masks",
    ),
    "forces_nothing_there": (
        "walks_on",
        "        return None\n\n    def push",
        "        return self.count\n\n    def push",
        "must give a forced token from 0 to 4, found 5",
        "Tokens.tracker",
    ),
    "changing_augment": (
        "augments_within_its_vocabulary",
        "    def augment(self, ids, rng):\n        return ids",
        "    def augment(self, ids, rng):\n        ids += 0\n        return ids",
        "augment must work for any ids and never fail",
        "Tokens.augment",
    ),
    "random_passages": (
        "recognises_variations",
        "np.array([int(np.sum(np.asarray(ids)[:4]))], np.int64)",
        "NOISE.append(1) or np.array([len(NOISE)], np.int64)",
        "Mismatch",
        "Tokens.passages",
    ),
    "failing_facts": (
        "prepares_a_corpus",
        'return {"letters": len(piece)}',
        'return {"letters": len(piece) / 0}',
        "describe must work for any piece that decode returns and never fail",
        "Letters.describe",
    ),
    "killer": (
        "decodes_anything",
        'return "".join(self.vocab[token] for token in ids)',
        'return "".join(self.vocab[token] for token in ids) or __import__("os")._exit(5)',
        "os._exit(5), which would have ended the process",
        "Tokens.decode",
    ),
    "leaving": (
        "shows_pieces",
        'return {"text/plain": piece or "nothing"}',
        "raise SystemExit(4)",
        "preview must work for any piece",
        "Letters.preview",
    ),
    "noisy": ("prints_nothing", "return [text]", "print(path); return [text]", ".abc", "read"),
    "endless_units": (
        "measures_pieces",
        'return {"letters": float(len(ids))}',
        'return {"letters": float("nan")}',
        "AssertionError",
        "Tokens.units",
    ),
    "failing_critic": (
        "criticises_any_piece",
        "Criticism(tuple(sorted({*piece} - usual)))",
        "Criticism(tuple(sorted({piece[0]} - usual)))",
        "critic must work for any piece that decode returns and never fail",
        "Letters.critic",
    ),
    "moody_critic": (
        "criticises_any_piece",
        "Criticism(tuple(sorted({*piece} - usual)))",
        "NOISE.append(1) or Criticism((), float(len(NOISE)))",
        "AssertionError",
        "Letters.critic",
    ),
    "empty_preview": (
        "shows_pieces",
        'return {"text/plain": piece or "nothing"}',
        "return {}",
        "the preview is empty",
        "Letters.preview",
    ),
    "other_stream": (
        "shows_text_as_it_comes",
        "return self.vocab.__getitem__",
        "return lambda token: self.vocab[token] + ' '",
        "AssertionError",
        "Tokens.text_stream",
    ),
    "same_names": (
        "names_its_tokens",
        "self.options, self.vocab = options, tuple(vocab)",
        "self.options, self.vocab = options, (*vocab, 'a')",
        "'a'",
        "Tokens.vocab",
    ),
    "undocumented": (
        "declares_its_options",
        '    """The order of the alphabet."""\n',
        "",
        "Options.order has no docstring",
        "Tokens.options_type",
    ),
}

assert len(ANNOUNCED) + len(LOADED) + len(BROKEN) >= 60


class Shelf:
    """Installed fake distributions, each with one domain."""

    def __init__(self, folder: Path, write_metadata: Callable[..., Path]) -> None:
        self.folder, self._write_metadata = folder, write_metadata

    def install(self, name: str, hook: str, domain: str = "") -> None:
        package = self.folder / f"seqgen_{name}"
        package.mkdir()
        (package / "__init__.py").write_text(hook.replace("NAME", name))
        (package / "domain.py").write_text(domain)
        points = {name: f"seqgen_{name}"}
        self._write_metadata(self.folder, f"seqgen-{name}", points, version="3.1")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory, write_metadata) -> Iterator[Shelf]:
    """All broken plugins, installed beside the sound ones."""
    made = Shelf(tmp_path_factory.mktemp("shelf"), write_metadata)
    made.install("sound", HOOK, DOMAIN)
    for name, (hook, _) in ANNOUNCED.items():
        made.install(name, hook)
    for name, (before, after, _) in LOADED.items():
        assert DOMAIN.count(before) == 1, name
        made.install(name, HOOK, DOMAIN.replace(before, after))
    for name, (_, before, after, *_) in BROKEN.items():
        assert DOMAIN.count(before) == 1, name
        made.install(name, HOOK, DOMAIN.replace(before, after))
    sys.path.insert(0, str(made.folder))
    plugin_faults._announced.cache_clear()
    try:
        yield made
    finally:
        sys.path.remove(str(made.folder))
        for module in [each for each in sys.modules if re.match(r"seqgen_", each)]:
            if getattr(sys.modules[module], "__file__", "").startswith(str(made.folder)):
                del sys.modules[module]
        plugin_faults._announced.cache_clear()


def outcome(name: str, promise: str, folder: Path) -> Outcome:
    [function] = [each for each in PROMISES if each.__name__ == promise]
    return Check(name, "tokens", function, Material(fast=True)).outcome(folder)


def test_broken_announcements_are_listed_and_harm_nobody(shelf: Shelf) -> None:
    found = {each.name: each for each in find_domains()}
    for name, (_, message) in ANNOUNCED.items():
        assert found[name].status in ("broken", "incompatible"), name
        assert f"seqgen-{name} 3.1" in found[name].problem and message in found[name].problem, name
    rest = {"text", "music", "handwriting", "sound", *LOADED, *BROKEN}
    assert {found[name].status for name in rest} == {"ok"}
    with pytest.raises(SeqgenError, match="line 2"):
        load_domain("exits")


@pytest.mark.parametrize("name", LOADED)
def test_a_plugin_that_cannot_be_loaded_is_named(name: str, shelf: Shelf, seqgen_command) -> None:
    status, out, err = seqgen_command("plugins", "check", name, "--fast")
    assert status == 3 and "Traceback" not in err
    assert LOADED[name][2] in err and out == ""
    assert f"seqgen-{name} 3.1" in err or f"seqgen_{name}.domain." in err
    assert load_domain("text")


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_promise_names_author_place_and_rule(
    name: str, shelf: Shelf, tmp_path: Path
) -> None:
    promise, _, _, words, method = BROKEN[name]
    found = outcome(name, promise, tmp_path)
    assert found.state == "failed" and found.rule
    report = "\n".join([found.reason, *found.places])
    assert words in report
    assert f"seqgen-{name} 3.1: " in report and f"{method}" in report
    assert re.search(rf"{shelf.folder}/seqgen_{name}/domain.py, line \d+", report)
    assert load_domain("text")


def test_the_sound_plugin_keeps_the_same_promises(shelf: Shelf, tmp_path: Path) -> None:
    for promise in {row[0] for row in BROKEN.values()}:
        found = outcome("sound", promise, tmp_path)
        assert found.state == "passed", str(found)


def test_every_promise_says_which_methods_it_is_about() -> None:
    from seqgen.conformance.outcomes import _METHODS

    assert {promise.__name__ for promise in PROMISES} == _METHODS.keys()


def test_a_codec_that_can_encode_nothing_is_reported_once(shelf: Shelf, tmp_path: Path) -> None:
    checks = [Check("fit_fails", "tokens", each, Material(fast=True)) for each in PROMISES]
    [found] = run_checks(checks, tmp_path)
    assert (found.promise, found.state) == ("has_pieces", "failed")


def test_the_command_stops_at_the_first_failure_or_goes_on(shelf: Shelf, seqgen_command) -> None:
    status, out, err = seqgen_command("plugins", "check", "empty_preview", "--fast")
    assert status == 3
    assert re.search(r"^FAILED    tokens +shows_pieces", out, re.MULTILINE)
    assert "  rule:  A preview maps MIME types to content of that type." in out
    assert "  where: seqgen-empty_preview 3.1: Letters.preview at " in out
    assert "  found: AssertionError: the preview is empty" in out
    assert "empty_preview breaks 1 of" in err and "were not run, --all runs them" in err


def test_expected_failures_are_strict(shelf: Shelf, seqgen_command) -> None:
    expect = ("--expect", "shows_pieces=no pictures yet")
    arguments = ("plugins", "check", "empty_preview", "--fast", "--json", *expect)
    status, out, err = seqgen_command(*arguments)
    states = {each["promise"]: each["state"] for each in json.loads(out)["checks"]}
    assert status == 0, err
    assert states["shows_pieces"] == "expected" and "failed" not in states.values()
    status, _, err = seqgen_command("plugins", "check", "sound", "--fast", *expect)
    assert status == 3 and "shows_pieces" in err
    status, _, err = seqgen_command("plugins", "check", "sound", "--expect", "walk=no")
    assert status == 2 and "there is no promise 'walk'" in err
    status, _, err = seqgen_command("plugins", "check", "sound", "--expect", "walks_on= ")
    assert status == 2 and "needs a reason" in err


def test_a_check_that_does_not_end_fails(shelf: Shelf, tmp_path: Path, monkeypatch) -> None:
    from seqgen.conformance import outcomes

    monkeypatch.setattr(outcomes, "SECONDS", 0.2)
    monkeypatch.setattr(type(load_domain("sound")[0]), "preview", lambda *_: time.sleep(60))
    found = outcome("sound", "shows_pieces", tmp_path)
    assert (found.state, found.reason) == ("failed", "it took longer than 0.2 seconds")


def test_a_file_that_is_read_as_text_costs_only_the_file(shelf: Shelf, tmp_path: Path) -> None:
    with pytest.raises(seqgen.errors.CorpusError, match="read must return pieces in a list"):
        seqgen.prepare("text_for_list", out=tmp_path / "corpus")


def test_a_promise_about_nothing_is_idle_and_says_so(
    shelf: Shelf, tmp_path: Path, monkeypatch
) -> None:
    domain, _ = load_domain("sound")
    monkeypatch.setattr(type(domain), "describe", lambda *_: {})
    monkeypatch.setattr(type(domain), "labels", lambda *_: {})
    monkeypatch.delattr(domain.codecs["tokens"], "augment")
    for promise, reason in {
        "describes_pieces": "describe returns nothing",
        "labels_pieces": "pieces have no labels",
        "knows_companions": "files have no companions",
        "augments_within_its_vocabulary": "the codec does not augment",
    }.items():
        found = outcome("sound", promise, tmp_path / promise)
        assert (found.state, found.reason) == ("idle", reason)


def test_a_derived_tracker_walks_as_many_steps_in_shorter_walks(
    shelf: Shelf, tmp_path: Path, monkeypatch
) -> None:
    codec = load_domain("sound")[0].codecs["tokens"]
    monkeypatch.delattr(codec, "tracker")
    walks: list[int] = []
    monkeypatch.setattr(codec, "decode", lambda self, ids: walks.append(len(ids)) or "a")
    [walks_on] = [each for each in PROMISES if each.__name__ == "walks_on"]
    assert Check("sound", "tokens", walks_on).outcome(tmp_path).state == "passed"
    assert walks == [250] * 40
