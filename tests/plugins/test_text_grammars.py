"""Grammars of text: new pieces parse, masks follow the rules, and limits leave nothing open."""

import ast
import copy
import io
import itertools
import json
import logging
import os
import re
import signal
import tokenize
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TypeAlias
from xml.parsers import expat

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqgen_text.codecs.bytes import ByteCodec, ByteOptions
from seqgen_text.codecs.characters import CharacterCodec, CharacterOptions
from seqgen_text.codecs.subwords import SubwordCodec, SubwordOptions
from seqgen_text.grammars import machine
from seqgen_text.grammars.language import NOTHING, OTHER, Language
from seqgen_text.grammars.tables import LANGUAGES, language
from seqgen_text.measures.parsing import c_errors, latex_errors

import seqgen
from seqgen.config import LimitConfig
from seqgen.conformance import trackers
from seqgen.conformance.subject import Subject
from seqgen.errors import ConfigError, DataError
from seqgen.grammar import unpacked
from seqgen.stepping.fused import FusedStepper

ALPHABET = "".join(sorted({*map(chr, range(32, 127)), "\n", "\t", *"é日"}))

#: Characters that matter to each language.
SIGNS = {
    "balanced": "()[]{}x",
    "c": "(){}[]\"'/*\\#\n ifedfnlor;",
    "latex": "\\{}$%begindx[]()\n ",
    "xml": "<>/=\"'&; ]-!?abx#1",
    "wiki": "[]{}|<!->x",
    "json": '{}[]",:\\u1e.-tfn ',
    "python": ":()[]{} \n\"'#\\x",
}


def reduced(brackets: str) -> str:
    """Return brackets without the pairs in them."""
    while brackets != (brackets := re.sub(r"\(\)|\[\]|\{\}", "", brackets)):
        pass
    return brackets


def balanced(text: str) -> None:
    assert not reduced(re.sub(r"[^][(){}]", "", text))


#: Tokens of C after lines are joined: a comment, a literal, or a bracket; and anything else.
C_TOKEN = re.compile(
    r"""(?s)/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'|(?P<bracket>[][(){}])"""
    r"""|(?P<open>/\*|["'])|."""
)


def c_is_closed(text: str) -> None:
    """Read C as a compiler does: join lines, then find comments, literals and directives."""
    text = re.sub(r"\\\n", "", text)
    brackets, conditions, place, starts = "", list[str](), 0, True
    while place < len(text):
        if starts and (found := re.compile(r"[ \t]*#[ \t]*(\w+)").match(text, place)):
            place = found.end()
            if found[1].startswith("if"):
                conditions.append(brackets)
            if found[1] == "endif":
                # No bracket crosses a conditional part.
                assert not reduced(brackets[len(conditions.pop()) :])
            while place < len(text) and text[place] != "\n":
                token = C_TOKEN.match(text, place)
                assert not (token["open"] or "").startswith("/")
                place = token.end()
            continue
        token = C_TOKEN.match(text, place)
        assert token["open"] is None, text[place : place + 20]
        brackets += token["bracket"] or ""
        starts = token.group() == "\n" or (starts and token.group() in " \t")
        place = token.end()
    assert not conditions
    assert not reduced(brackets)


def wiki_is_closed(text: str) -> None:
    text = re.sub(r"(?s)<!--.*?-->", "", text)
    assert "<!--" not in text


def latex_is_closed(text: str) -> None:
    assert latex_errors(text) == 0


def xml_is_well_formed(text: str) -> None:
    expat.ParserCreate().Parse(text.encode(), True)


def lines_are_indented(text: str) -> None:
    list(tokenize.generate_tokens(io.StringIO(text + "\n").readline))


CHECKS: dict[str, Callable[[str], object]] = {
    "balanced": balanced,
    "c": c_is_closed,
    "latex": latex_is_closed,
    "xml": xml_is_well_formed,
    "wiki": wiki_is_closed,
    "json": json.loads,
    "python": lines_are_indented,
}


#: Tokens of several characters that open, close, or go on after what they close.
SEVERAL = {
    "balanced": ("((", "))", ")(", "}]", "]]]"),
    "c": (
        "for (",
        "for",
        ");",
        "))",
        "*/",
        "/*",
        "//",
        "\n#",
        "#if",
        "endif",
        '")',
        "}}",
        "; ",
        "'",
    ),
    "latex": ("\\begin", "\\end", "{a}", "}{", "$$", "\n\n", "\\[", "\\]", "begin", "ab", "en"),
    "xml": ("</", "/>", '="', "<a", "</a", "<!--", "-->", '" a="', "<?", "ab", "<a><", "?>"),
    "wiki": ("[[", "]]", "{{", "}}", "]] [[", "{|", "|}", "<!--", "-->"),
    "json": ('": ', '", "', "},", "]}", "[[", "true", "nul", "1.5", "\\u", "{}"),
    "python": (":\n", "    ", "\n\n", "):", "()", '"""', "x\n", "  x", "\n  ", "#x"),
}

Made: TypeAlias = CharacterCodec | ByteCodec | SubwordCodec


def characters_of(name: str) -> CharacterCodec:
    return CharacterCodec(ALPHABET, "", CharacterOptions(grammar=name))


def codecs_of(name: str) -> list[Made]:
    several = [text for text in SEVERAL[name] if len(text) > 1]
    return [
        characters_of(name),
        ByteCodec(ByteOptions(grammar=name)),
        SubwordCodec("é", [*several, "é日", "日x"], SubwordOptions(grammar=name)),
    ]


def walk(codec: Made, room: int, rng: np.random.Generator, signs: str) -> str:
    """Write random tokens, mostly those that matter, until the end."""
    tracker, ids = codec.tracker(), list[int]()
    weights = np.ones(len(codec.vocab) + 1)
    weights[[codec.encode(sign)[0] for sign in signs]] = 10
    weights[[len(name) > 1 and not name.startswith("0x") for name in codec.vocab] + [False]] = 10
    room = max(room, machine.distance(codec.structure.tables, tracker._memory))
    for left in range(room, 0, -1):
        mask = tracker.closing(left)
        assert mask.any() and not (mask & ~tracker.allowed()).any()
        token = int(rng.choice(len(mask), p=weights * mask / (weights @ mask)))
        if token == len(codec.vocab):
            break
        ids.append(token)
        tracker.push(token)
    assert tracker.allowed()[-1], codec.decode(np.array(ids))
    return codec.decode(np.array(ids, np.int64))


@pytest.mark.parametrize("name", LANGUAGES)
def test_random_walks_parse_and_end_within_the_limit(name: str) -> None:
    for codec in codecs_of(name):
        rng = np.random.default_rng(0)
        for _ in range(30):
            text = walk(codec, int(rng.integers(0, 90)), rng, SIGNS[name])
            CHECKS.get(name, str)(text)


class Reader:
    """Follows a language move by move, with lists; compiled tables must agree."""

    def __init__(self, grammar: Language) -> None:
        self.grammar, self.state = grammar, grammar.start
        self.stack: list[tuple[str, str]] = []  # frames with their names, or indentation
        self.place = 0
        self.attribute, self.attributes = "", set[str]()

    def allows(self, character: str) -> bool:
        grammar, (top, name) = self.grammar, self.stack[-1] if self.stack else (NOTHING, "")
        if self.state in grammar.matching and self.place < len(name):
            return name[self.place] == character
        move = grammar.move(self.state, top, character if ord(character) < 128 else OTHER)
        if move is None or (move.push and len(self.stack) >= machine.MOST_FRAMES - 1):
            return False
        widths = {0, *(len(each) for _, each in self.stack)}
        fits = {
            "count": self.state == grammar.opening or self.place < len(name),
            "align": self.place in widths,
            "open": self.place > len(name),
        }
        is_new = move.attribute != "end" or self.attribute not in self.attributes
        return fits.get(move.indent, True) and is_new

    def push(self, character: str) -> None:
        grammar, (top, name) = self.grammar, self.stack[-1] if self.stack else (NOTHING, "")
        if not self.allows(character):
            self.state, self.place, self.attribute = grammar.after, 0, ""
            repeats = self.state in grammar.matching
            frame = grammar.closes(top, character)
            frames = [each for each, _ in self.stack]
            if frame in frames and not repeats:
                del self.stack[len(frames) - 1 - frames[::-1].index(frame) :]
            self.attributes = set()
            return
        if self.state in grammar.matching and self.place < len(name):
            self.place += 1
            return
        move = grammar.move(self.state, top, character if ord(character) < 128 else OTHER)
        assert move is not None
        self.state = move.state
        if move.indent == "count":
            self.place += 1
            return
        if move.indent == "align":
            while self.stack and len(self.stack[-1][1]) > self.place:
                self.stack.pop()
        if move.indent == "open":
            self.stack.append((grammar.unclosed, " " * self.place))
        self.place = 0
        if move.push:
            self.stack.append((move.push, ""))
        if move.swap:
            self.stack[-1] = (move.swap, self.stack[-1][1])
        if move.keeps:
            self.stack[-1] = (self.stack[-1][0], self.stack[-1][1] + character)
        if move.pop:
            self.stack.pop()
        self._read_attribute(move.attribute, character)

    def _read_attribute(self, part: str, character: str) -> None:
        if part == "name":
            self.attribute += character
        elif part == "end":
            self.attributes.add(self.attribute)
            self.attribute = ""
        elif part == "tag":
            self.attributes = set()


@st.composite
def texts(draw: st.DrawFn) -> tuple[str, str]:
    name = draw(st.sampled_from([*LANGUAGES]))
    signs = st.sampled_from(SIGNS[name]) | st.sampled_from(ALPHABET)
    return name, "".join(draw(st.lists(signs, max_size=60)))


@given(texts(), st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_masks_agree_with_the_rules(case: tuple[str, str], seed: int) -> None:
    name, text = case
    # The first half is a text that keeps the grammar, the second half anything.
    codec = characters_of(name)
    rng = np.random.default_rng(seed)
    text = walk(codec, int(rng.integers(0, 40)), rng, SIGNS[name])[:30] + text
    ids = codec.encode(text)
    rows = unpacked(codec.masks(ids)[:], len(codec.vocab) + 1)
    reader, tracker = Reader(language(name)), codec.tracker()
    for position, token in enumerate(ids.tolist()):
        expected = [character for character in ALPHABET if reader.allows(character)]
        found = [ALPHABET[at] for at in np.flatnonzero(rows[position, :-1])]
        assert found == expected, (name, text[:position], reader.state, reader.stack)
        assert (tracker.allowed()[:-1] == rows[position, :-1]).all() and rows[position, -1]
        tracker.push(token)
        reader.push(text[position])


@pytest.mark.parametrize("name", LANGUAGES)
def test_no_way_to_the_end_is_shorter_than_the_distance(name: str) -> None:
    alphabet = "".join(sorted({*SIGNS[name], *"<>/ax=\"'end{}\\#if\n"}))
    codec = CharacterCodec(alphabet, "", CharacterOptions(grammar=name))
    tables, rng = codec.structure.tables, np.random.default_rng(1)
    for _ in range(15):
        tracker = codec.tracker()
        for _ in range(int(rng.integers(0, 25))):
            options = np.flatnonzero(tracker.allowed()[:-1])
            if len(options):
                tracker.push(int(rng.choice(options)))
        distance = machine.distance(tables, tracker._memory)
        ahead = []
        for token in np.flatnonzero(tracker.allowed()[:-1]).tolist():
            after = copy.deepcopy(tracker)
            after.push(token)
            ahead.append(machine.distance(tables, after._memory))
        # Where the text may not end, the best token brings the end nearer by exactly one.
        if tracker.allowed()[-1]:
            assert distance == 0
        else:
            assert distance == min(ahead) + 1


def test_closing_a_tag_takes_its_name() -> None:
    codec = characters_of("xml")
    tracker = codec.tracker()
    for token in codec.encode('<note><line at="1').tolist():
        tracker.push(token)
    # Quote and slash close the tag, then the name of the other one is written.
    assert machine.distance(codec.structure.tables, tracker._memory) == len('"/></note>')
    written = ""
    while not tracker.allowed()[-1]:
        token = int(np.flatnonzero(tracker.closing(0))[0])
        written += codec.vocab[token]
        tracker.push(token)
    assert written == '"/></note>'


def test_a_vocabulary_without_what_closes_opens_nothing() -> None:
    codec = CharacterCodec("([{}abc", "", CharacterOptions(grammar="balanced"))
    allowed = codec.tracker().allowed()
    assert [codec.vocab[at] for at in np.flatnonzero(allowed[:-1])] == [*"{abc"]
    assert CharacterCodec("abc", "", CharacterOptions(grammar="xml")).tracker().allowed()[-1]


def test_what_training_pieces_have_against_the_grammar_is_allowed_in_the_loss_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    codec = characters_of("latex")
    good, bad = codec.encode("\\begin{a}$x$\\end{a}"), codec.encode("x} \\begin{a}\\end{b}")
    assert codec.limited
    codec.learn_grammar([good])
    assert not caplog.records and codec.state()["exceptions"] == []
    with caplog.at_level(logging.WARNING):
        codec.learn_grammar([good, bad])
    assert "3 of 38 tokens, in 1 of 2 pieces, break the grammar latex" in caplog.text
    again = CharacterCodec.from_state(codec.state(), codec.options)
    assert again.state() == codec.state()
    for made in (codec, again):
        rows = unpacked(made.masks(bad)[:], len(made.vocab) + 1)
        assert rows[range(len(bad)), bad].all()
        brace = int(made.encode("}")[0])
        tracker = made.tracker()
        tracker.push(int(bad[0]))
        assert not tracker.allowed()[brace]
    found = [situation for situation, _ in codec.state()["exceptions"]]
    assert found == [[ord("a")], [0, "text", "", 0], [0, "text", "environment", 0]]
    unknown = [[[0, "no such state", "", 0], 1], [[7, "text", "", 0], 1]]
    codec.restore_structure({"exceptions": unknown})
    assert codec.structure.exceptions == []
    right = [0, "text", "", 0]
    for wrong in (None, [[1]], [[1, 1]], [[right, len(codec.vocab)]], [[right, "1"]], [["a", 1]]):
        state = {**codec.state(), "exceptions": wrong}
        with pytest.raises(DataError, match="exceptions must be pairs of a situation and a token"):
            CharacterCodec.from_state(state, codec.options)


def test_a_grammar_needs_no_boundary_and_not_too_many_subwords() -> None:
    with pytest.raises(ConfigError, match="grammar=c needs boundary=none"):
        CharacterOptions(grammar="c", boundary="line")
    with pytest.raises(ConfigError, match="grammar=c needs most=32768 or less, found most=40000"):
        SubwordOptions(grammar="c", most=40_000)


@pytest.mark.parametrize("name", LANGUAGES)
def test_a_token_may_come_if_its_characters_may_in_turn(name: str) -> None:
    _, by_bytes, codec = codecs_of(name)
    rng = np.random.default_rng(5)
    for _ in range(4):
        text = walk(codec, 60, rng, SIGNS[name])
        text = text[: int(rng.integers(0, len(text) + 1))]
        tracker, reader = codec.tracker(), by_bytes.tracker()
        for token in codec.encode(text).tolist():
            tracker.push(token)
        for token in by_bytes.encode(text).tolist():
            reader.push(token)
        allowed = tracker.allowed()
        assert allowed[-1] == reader.allowed()[-1]
        tables = codec.structure.tables
        distance = machine.distance(tables, tracker._memory)
        ahead = np.full(len(codec.vocab), 10**9)
        for token, spelling in enumerate(codec._bytes):
            walker, is_legal = copy.deepcopy(reader), True
            for byte in spelling:
                is_legal &= bool(walker.allowed()[byte])
                walker.push(byte)
            assert allowed[token] == is_legal, (text, codec.vocab[token])
            if is_legal:
                ahead[token] = machine.distance(tables, walker._memory)
        for room in {0, 1, distance, distance + 1, distance + 4, distance + 80}:
            kept = np.flatnonzero(tracker.closing(room)[:-1])
            wanted = np.flatnonzero(ahead < room)
            if not len(wanted) and not allowed[-1]:
                assert ahead[kept].tolist() == [ahead.min()]
            else:
                np.testing.assert_array_equal(kept, wanted)


def test_graphemes_follow_a_grammar() -> None:
    options = CharacterOptions(grammar="latex", unit="grapheme")
    codec = CharacterCodec.fit(["\\emph{e\u0301}, $x$e\u0301"], options)
    assert "e\u0301" in codec.vocab
    tracker = codec.tracker()
    for token in codec.encode("\\emph{e\u0301").tolist():
        tracker.push(token)
    assert not tracker.allowed()[-1]
    assert codec.vocab[np.flatnonzero(tracker.closing(1))[0]] == "}"


PIECES = {
    "json": ['{"a": [1, 2.5e3, true], "b": null}', '["x\\u00e9", {}]', "-0.5"],
    "python": ["def f(x):\n    if x:\n        return [1,\n 2]\n    y = ''\nf(3)\n", "x = 1\n"],
    "c": ["#if A\nint f(void) { for (;;) g('\\n', \"}\"); }\n#endif\n", "/* ( */ int x[2];"],
}


@pytest.mark.parametrize("name", PIECES)
def test_codecs_with_a_grammar_keep_the_contract(name: str, tmp_path: Path) -> None:
    for made in codecs_of(name):
        codec = type(made).fit(PIECES[name], made.options)
        ids = [codec.encode(piece) for piece in PIECES[name]]
        codec.learn_grammar(ids)
        assert not codec.structure.exceptions
        subject = Subject("text", None, None, "codec", codec, PIECES[name], ids)
        for promise in (
            *(trackers.allows_real_pieces, trackers.always_allows_something),
            *(trackers.copies_its_tracker, trackers.ends_within_a_limit),
            *(trackers.masks_as_it_tracks, trackers.masks_allow_real_pieces),
        ):
            promise(subject, tmp_path)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> seqgen.Run:
    """Return a run of a small model of JSON, nearly random."""
    tmp_path = tmp_path_factory.mktemp("json")
    pieces = {"train": [json.dumps({"a": list(range(n))}) for n in range(9)], "valid": ["[1]"]}
    corpus = seqgen.write_corpus(
        tmp_path / "corpus", "text", pieces, codec="characters", options={"grammar": "json"}
    )
    model = seqgen.ModelConfig(hidden=8, embedding=4)
    run = seqgen.create_run(tmp_path / "run", corpus, model, seqgen.TrainConfig(tokens=400))
    for _ in seqgen.train(run, corpus):
        pass
    return seqgen.load(tmp_path / "run")


def test_generated_pieces_parse_whatever_the_limit(
    run: seqgen.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for length in (1, 7, 60):
        for new in seqgen.generate(run, 20, limit=LimitConfig(length=length)):
            assert len(new.piece) <= length
            json.loads(new.piece)
    reasons = set()
    for unit, length in (("words", 1), ("words", 20), ("characters", 3), ("characters", 30)):
        for new in seqgen.generate(run, 10, limit=LimitConfig(length=length, unit=unit)):
            assert run.codec.units(new.ids)[unit] <= length + 2
            reasons.add(new.stopped_by)
            json.loads(new.piece)
    # The clock goes on by a second whenever it is looked at.
    clock = itertools.count()
    stand_in = SimpleNamespace(monotonic=lambda: float(next(clock)))
    monkeypatch.setattr("seqgen.generation.limits.time", stand_in)
    for seconds in (1, 5, 30):
        for new in seqgen.generate(run, 3, limit=LimitConfig(length=0, seconds=seconds)):
            json.loads(new.piece)
    # No piece may end by itself before the time is up.
    for new in seqgen.generate(run, 3, limit=LimitConfig(seconds=5, least_length=4000)):
        assert new.stopped_by == "time"
        json.loads(new.piece)
    assert "length" in reasons


def test_a_beam_finds_whole_pieces(run: seqgen.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = [LimitConfig(length=length) for length in (1, 7, 40)]
    limits.append(LimitConfig(length=9, unit="characters"))
    clock = itertools.count()
    stand_in = SimpleNamespace(monotonic=lambda: float(next(clock)))
    monkeypatch.setattr("seqgen.generation.limits.time", stand_in)
    for limit in [*limits, LimitConfig(length=200, seconds=5)]:
        found = [*seqgen.search(run, 4, 3, limit=limit)]
        assert found
        for new in found:
            json.loads(new.piece)


class Interrupted:
    """A method of the stepper during which signals come, at some calls."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str, calls: Collection[int]) -> None:
        method, counts = getattr(FusedStepper, name), itertools.count(1)

        def interrupted(stepper: FusedStepper, *given: object) -> object:
            if next(counts) in calls:
                os.kill(os.getpid(), signal.SIGINT)
            return method(stepper, *given)

        monkeypatch.setattr(FusedStepper, name, interrupted)

    def collect(self, pieces: Iterator[seqgen.Generated]) -> list[seqgen.Generated]:
        found: list[seqgen.Generated] = []
        with pytest.raises(KeyboardInterrupt):
            for new in pieces:
                found.append(new)
        for new in found:
            json.loads(new.piece)
        return found


@pytest.mark.parametrize("candidates", [1, 2])
def test_after_ctrl_c_pieces_are_closed(
    run: seqgen.Run, candidates: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = LimitConfig(length=900, least_length=500)
    new = seqgen.generate(run, 20, limit=limit, candidates=candidates)
    found = Interrupted(monkeypatch, "write", {1}).collect(new)
    assert len(found) == (20 if candidates == 1 else 1)
    assert candidates > 1 or {each.stopped_by for each in found} == {"interrupt"}
    assert max(len(each.ids) for each in found) < 500


def test_after_another_ctrl_c_only_whole_pieces_are_kept(
    run: seqgen.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = seqgen.generate(run, 20, limit=LimitConfig(length=900, least_length=500))
    assert len(Interrupted(monkeypatch, "write", {1, 2}).collect(new)) < 20


def test_a_beam_is_closed_after_ctrl_c(run: seqgen.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    new = seqgen.search(run, 4, 2, limit=LimitConfig(length=300))
    found = Interrupted(monkeypatch, "read", {4}).collect(new)
    assert len(found) == 2


def test_python_that_is_written_has_legal_blocks() -> None:
    codec = characters_of("python")
    text = "if x:\n    y\n  z"
    tracker = codec.tracker()
    for token in codec.encode(text[:-1]).tolist():
        tracker.push(token)
    # Two blanks are no open block: more blanks may follow, or a new line, or a comment.
    assert {codec.vocab[at] for at in np.flatnonzero(tracker.allowed()[:-1])} == {" ", "\n", "#"}
    with pytest.raises(IndentationError):
        ast.parse(text)


C_PIECE = """
#include <stdio.h>
#define MOST(a, b) ((a) > (b) ? (a) : \\
   (b)) // "more"
typedef struct node_t {
   struct node_t *next, **all; unsigned flag : 3; int (*call)(int x, ...);
} node;
enum { RED, GREEN = 0x0fUL, BLUE };
static const char *names[] = { "a" "b", 'c', { 1, -2.5e-3f }, .5 };
#if defined(A) && !defined(B)
APIDEF unsigned char *f(char const *text, int sizes[4], struct node_t *, void (*done)(void));
#else
#error don't
#endif
extern void nothing(void);

int main(int argc, char **argv)
{
   int i = 0, *p = &i, more[3][2] = {{1}, {2}}; // all
   for (i = 0; i < argc; ++i, p++)
      if (*p == 1) continue;
      else if (i) { (void) argv; }
      else p[0] += (int) sizeof(node) - sizeof *p;
   do { *p++ = i * 2; x *= 3; } while (i-- > 0 && !p->next.y);
   switch (i) {
      case 'x': case RED + 1: return (float *) p == NULL ? f(i)(2) : a[i ? 1 : 2];
#ifdef A
      case 2: goto out;
#endif
      default: break;
   }
out: ;
   return 0;
}
"""


def forbidden_in(codec: CharacterCodec, text: str) -> list[int]:
    """Return the places of characters that the grammar forbids."""
    _, allowed = codec.structure.follow(
        machine.new_memory(codec.structure.tables), codec.encode(text)
    )
    return np.flatnonzero(~allowed).tolist()


def test_c_knows_statements_declarations_and_expressions() -> None:
    codec = characters_of("c")
    assert forbidden_in(codec, C_PIECE.replace("#error don't\n", "")) == []
    # A quote that does not end may not come, though compilers accept it in this directive.
    assert forbidden_in(codec, C_PIECE) == [C_PIECE.index("don't") + 5]
    block = "int f(void) {"
    for before, wrong in (
        *(("x = 1 ", "}"), ("if (x) ", "}"), ("f(a, int", " "), ("int if", " "), ("a[1", ",")),
        *(("for (;", ")"), ("x = a ", ":"), ("x = a ? b", ";"), ("case 1", ";"), ("x = 1", "x")),
        *(("x = 0x1f", "g"), ("// a \\", "\n"), ("x = f(1) ", "y"), ("/* *", "\\")),
    ):
        text = block + before
        assert forbidden_in(codec, text + wrong)[-1:] == [len(text)], text + wrong
    for text in ('#define A "/*', "#define \n", "#endif\n", "#if A\n}", "// a\\\n"):
        assert forbidden_in(codec, text), text


def test_errors_are_counted_by_parsers() -> None:
    assert latex_errors("\\begin{a}$x$ {\\[y\\]} % }\n\\end{a} \\} $$z$$ $a$$b$") == 0
    assert latex_errors("\\begin{a} \\end{b}") == 2 and latex_errors("} $ {") == 3
    assert c_errors("int f(void) { return 0; }") == 0
    assert c_errors("int f(void) { return (0; ") > 0
