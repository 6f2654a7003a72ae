"""Writing by turns: the state stays, turns are undone and tried again, sessions lose nothing."""

import errno
import io
import itertools
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from seqgen_text.codecs.automaton import AutomatonTracker

import seqgen
from seqgen import files
from seqgen.cli import write
from seqgen.conditions.labels import Labelled
from seqgen.config import LimitConfig, ModelConfig, SampleConfig, TrainConfig
from seqgen.errors import ConfigError, DataError, InUse
from seqgen.generation.manuscript import LONGEST_WORD, _Words, is_in_word
from seqgen.stepping.fused import FusedStepper
from seqgen.storage import signals

GREEDY, LIMIT = SampleConfig(temperature=0), LimitConfig(length=40)
TEXTS = [f"{n} green bottles, {n} red ones.\nOne fell off the wall.\n" for n in range(40)]


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, seqgen.Run]:
    """A run of every codec of text, and one with a label."""
    made = {}
    for name in ("characters", "bytes", "words", "subwords", "labelled"):
        folder = tmp_path_factory.mktemp(name)
        pieces = [
            Labelled({"site": "ab"[n % 2]}, text) if name == "labelled" else text
            for n, text in enumerate(TEXTS)
        ]
        codec = "characters" if name == "labelled" else name
        split = {"train": pieces[:35], "valid": pieces[35:]}
        corpus = seqgen.write_corpus(folder / "corpus", "text", split, codec=codec)
        model = ModelConfig(hidden=16, embedding=8, dropout=0.0)
        config = TrainConfig(
            tokens=4000, batch_size=4, window=32, learning_rate=0.006, device="cpu"
        )
        run = seqgen.create_run(folder / "run", corpus, model, config)
        for _ in seqgen.train(run, corpus):
            pass
        made[name] = seqgen.load(folder / "run", "cpu")
    return made


def written(manuscript: seqgen.Manuscript, **options) -> str:
    return "".join(manuscript.write(**{"sample": GREEDY, "limit": LIMIT, **options}))


@pytest.mark.parametrize("codec", ["characters", "bytes", "words", "subwords", "labelled"])
def test_turns_write_what_a_prompt_of_the_whole_text_would(runs, codec: str) -> None:
    run = runs[codec]
    condition = Labelled({"site": "b"}) if codec == "labelled" else None
    manuscript = seqgen.Manuscript(run, condition=condition)
    text = ""
    for typed in ("One green", " fell", "en bottle\n", "off, "):
        manuscript.type(typed)
        text += typed
        assert manuscript.text == text
        options = {"condition": condition, "sample": GREEDY, "limit": LIMIT}
        [whole] = seqgen.generate(run, prompt=text, **options)
        new = written(manuscript)
        text += new
        assert text == whole.piece == manuscript.text
        assert manuscript.stopped_by == whole.stopped_by


def test_going_on_without_typing_is_one_piece(run) -> None:
    [whole] = seqgen.generate(run, sample=GREEDY, limit=LimitConfig(length=80))
    manuscript = seqgen.Manuscript(run)
    assert written(manuscript) + written(manuscript) == whole.piece


def test_a_turn_reads_only_what_is_new(run, monkeypatch) -> None:
    manuscript = seqgen.Manuscript(run)
    manuscript.type("9 green bottles hanging on the wall,\n" * 20)
    written(manuscript)
    read, reads = FusedStepper.read, []

    def counting(self, ids, features, state):
        reads.append(ids.shape[1])
        return read(self, ids, features, state)

    monkeypatch.setattr(FusedStepper, "read", counting)
    manuscript.type("and ")
    assert reads == [4]
    # What was written is read once more, in one pass, for the state at its very end.
    new = written(manuscript)
    assert reads == [4, len(new)]


def test_turns_can_be_undone_and_tried_again(run) -> None:
    manuscript = seqgen.Manuscript(run, seed=5)
    hot = {"sample": SampleConfig(temperature=1.5)}
    manuscript.type("9 green")
    first = written(manuscript, **hot)
    manuscript.type(" bottles")
    second = written(manuscript, **hot)
    manuscript.take_back()
    assert manuscript.text == "9 green" + first + " bottles"
    other = written(manuscript, **hot)
    assert other != second and manuscript.turns == 2
    manuscript.undo()
    assert manuscript.text == "9 green" + first
    manuscript.undo()
    assert manuscript.text == ""
    for take_back in (manuscript.undo, manuscript.take_back):
        with pytest.raises(DataError, match="nothing to take back"):
            take_back()
    # The same seed and calls draw the same.
    again = seqgen.Manuscript(run, seed=5)
    again.type("9 green")
    assert written(again, **hot) == first


def test_only_what_stays_is_shown(runs) -> None:
    """A length in words is looked at now and then, and cuts what was drawn meanwhile."""
    manuscript = seqgen.Manuscript(runs["bytes"])
    manuscript.type("One")
    shown = written(manuscript, limit=LimitConfig(length=7, unit="words"))
    assert manuscript.text == "One" + shown


def test_a_turn_leaves_open_what_is_open(runs, monkeypatch) -> None:
    """Only a piece that ends at its length is closed there."""
    rooms: list[int] = []
    closing = AutomatonTracker.closing
    monkeypatch.setattr(
        AutomatonTracker, "closing", lambda self, room: rooms.append(room) or closing(self, room)
    )
    list(seqgen.generate(runs["bytes"], limit=LIMIT))
    assert rooms
    rooms.clear()
    manuscript = seqgen.Manuscript(runs["bytes"])
    manuscript.type("One")
    assert written(manuscript) and not rooms


def test_what_was_shown_is_kept_when_a_turn_is_left(run) -> None:
    manuscript = seqgen.Manuscript(run)
    manuscript.type("9 green")
    steps = manuscript.write(sample=GREEDY, limit=LimitConfig(length=500))
    shown = "".join(itertools.islice(steps, 2))
    steps.close()
    assert manuscript.text == "9 green" + shown and manuscript.stopped_by == "interrupt"
    [whole] = seqgen.generate(
        run, prompt="9 green", sample=GREEDY, limit=LimitConfig(length=len(shown) + 40)
    )
    assert manuscript.text + written(manuscript) == whole.piece


def test_what_was_typed_stays_when_a_turn_is_left(runs) -> None:
    """A length in words is looked at every 32 tokens, here amid those of the typed end."""
    run = runs["subwords"]
    words = "One green bottle fell off the wall. " * 9
    texts = (words[:size] + " ééé" for size in range(len(words)))
    typed = next(text for text in texts if run.codec.open_end(run.codec.encode(text)).kept == 30)
    manuscript = seqgen.Manuscript(run)
    manuscript.type(typed)
    steps = manuscript.write(limit=LimitConfig(length=50, unit="words"))
    next(steps)
    steps.close()
    assert manuscript.text.startswith(typed)


def test_lengths_and_stops_hold_for_the_turn(run) -> None:
    manuscript = seqgen.Manuscript(run)
    manuscript.type("9 green bottles on the wall")
    stop = [run.codec.encode("wall")]
    new = written(manuscript, limit=LimitConfig(length=300, least_length=60), stop=stop)
    assert new.endswith("wall") and len(new) >= 60
    assert len(written(manuscript, limit=LimitConfig(length=3, unit="words")).split()) in (3, 4)


def test_unknown_symbols_follow_the_choice_of_the_user(run) -> None:
    manuscript = seqgen.Manuscript(run)
    with pytest.raises(DataError, match="character 'é'"):
        manuscript.type("9 gréen")
    assert manuscript.text == "" and manuscript.turns == 0
    assert manuscript.type("9 gréen", "nearest") == {("é", "e"): 1}
    assert manuscript.type(" ←", "skip") == {("←", ""): 1}
    assert manuscript.text == "9 green "


def test_only_text_is_written_by_turns(chorales) -> None:
    with pytest.raises(DataError, match="pieces of music are not text"):
        seqgen.Manuscript(chorales)


@pytest.mark.parametrize("codec", ["characters", "bytes", "words", "subwords", "labelled"])
def test_a_turn_of_whole_words_ends_where_a_word_does(runs, codec: str) -> None:
    run = runs[codec]
    condition = Labelled({"site": "b"}) if codec == "labelled" else None
    hot = {"sample": SampleConfig(temperature=0.7, ban=("<end>",)), "whole_words": True}
    for seed in range(5):
        manuscript = seqgen.Manuscript(run, condition=condition, seed=seed)
        manuscript.type("One green bottle f")
        shown = list(manuscript.write(limit=LimitConfig(length=40), **hot))
        assert manuscript.text == "One green bottle f" + "".join(shown)
        assert manuscript.stopped_by == "length"
        whole = seqgen.Manuscript(run, condition=condition, seed=seed)
        whole.type("One green bottle f")
        text = written(whole, **(hot | {"whole_words": False}))
        kept, cut = text[: len("".join(shown))], text[len("".join(shown)) :]
        assert kept == "".join(shown) and len(cut) < LONGEST_WORD
        if any(map(is_in_word, kept)):
            assert not is_in_word(kept[-1]) or (cut and not is_in_word(cut[0]))


def test_words_without_gaps_are_not_cut() -> None:
    words = _Words()
    words.add(["One", " gre"])
    assert words.take(everything=False) == (1, "One")
    words.add(["en", ","])
    assert words.take(everything=False) == (3, " green,")
    words.add(["don", "'", "t"])
    assert words.take(everything=False) == (0, "")
    words.add(["", "e\u0301", " "])
    assert words.take(everything=False) == (6, "don'te\u0301 ")
    words.add(["a"] * LONGEST_WORD)
    assert words.take(everything=False) == (0, "")
    words.add(["a"])
    assert words.take(everything=False) == (LONGEST_WORD + 1, "a" * (LONGEST_WORD + 1))
    words.add(["b"])
    assert words.take(everything=True) == (1, "b")


@pytest.mark.parametrize(
    ("text", "more", "expected"),
    [
        ("off the", "wall", True),
        ("off the ", "wall", False),
        ("off the", ", too", False),
        ("off the", "\nwall", False),
        ("acgtacgt", "acgt", False),
        ("", "wall", False),
        ("off the", "", False),
    ],
)
def test_a_blank_comes_between_two_words(text: str, more: str, expected: bool) -> None:
    assert write.continues_word(text, more) is expected


def test_a_typed_word_does_not_stick_to_a_word_of_the_model(session, tmp_path) -> None:
    out = tmp_path / "a.txt"
    printed, _ = session("9 green", "red", "/text", options=("--out", out, "--stop", "hanging"))
    assert printed.startswith(" bottles hanging\n") and " hanging red" in out.read_text()


@pytest.fixture
def session(run, tmp_path, monkeypatch, seqgen_command):
    """Return a function that runs a session with these lines; it returns output and remarks."""

    def take(*lines: str, options: tuple = ()) -> tuple[str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO("\n".join([*lines, ""])))
        arguments = ("write", run.folder, "--temperature", 0, "--length", 20, *options)
        status, out, err = seqgen_command(*arguments)
        assert status == 0, err
        return out, " ".join(err.split())

    return take


def test_a_session_takes_turns_and_saves_the_text(session, run, tmp_path) -> None:
    out = tmp_path / "story.txt"
    printed, said = session("9 green", "", "/quit", "never read", options=("--out", out))
    [whole] = seqgen.generate(run, prompt="9 green", sample=GREEDY, limit=LIMIT)
    first, second = re.fullmatch(r"(.{10,20})\n(.{10,20})\n", printed, re.S).groups()
    # A word that the limit cuts is left out and written in the next turn.
    assert out.read_text() == "9 green" + first + second
    assert whole.piece.startswith("9 green" + first + second)
    assert f"the text is in {re.sub(r' +', ' ', str(out))}" in said


def test_a_session_without_a_file_takes_the_next_number(session, run) -> None:
    for _ in range(2):
        session("9 green")
    numbers = sorted(int(path.stem) for path in (run.folder / "writing").iterdir())
    assert numbers == [1, 2]
    before = len(numbers)
    session("/help", "/quit")
    assert len([*(run.folder / "writing").iterdir()]) == before


def test_a_session_undoes_tries_again_and_shows(session, tmp_path) -> None:
    out = tmp_path / "story.txt"
    printed, _ = session("9 green", " 8", "/undo", "/text", options=("--out", out))
    first, _, undone, shown = re.fullmatch(
        r"(.{10,20})\n(.{10,20})\n(.*)\n(.*)\n", printed, re.S
    ).groups()
    assert undone == shown == "9 green" + first == out.read_text()
    hot = ("--out", tmp_path / "hot.txt", "--ban", "<end>")
    lines = ("/temperature 2", "9 green", "/again", "/again", "/text")
    printed, _ = session(*lines, options=hot)
    tries = re.fullmatch(r"(.{5,20})\n(.{5,20})\n(.{5,20})\n9 green\3\n", printed, re.S).groups()
    assert len(set(tries)) == 3


def test_settings_change_on_the_way(session, tmp_path) -> None:
    lines = ("/length 5", "9 green", "/temperature 1.5", "/top-p", "/unit words", "/length")
    printed, said = session(*lines, options=("--out", tmp_path / "a.txt"))
    assert len(printed) == 6
    for remark in ("length is 5", "temperature is 1.5", "top-p is 1", "unit is words"):
        assert remark in said


def test_what_is_wrong_does_not_end_a_session(session, tmp_path) -> None:
    (tmp_path / "there.txt").write_text("mine")
    lines = (
        *("/temperature hot", "/length -1", "/nosuch", "9 gréen", "/undo", "/save"),
        *(f"/save {tmp_path / 'there.txt'}", "/unit pages", "9 green", "/unit tokens", "", "/text"),
    )
    printed, said = session(*lines, options=("--out", tmp_path / "a.txt"))
    for message in (
        *("/temperature: temperature must be of type float", "length must be inf, or from 0"),
        *("there is no command /nosuch", "character 'é'", "nothing to take back"),
        *("/save needs the name of a new file", "unit must be one of tokens"),
    ):
        assert message in said
    assert printed.endswith(printed.partition("9 green")[1] + printed.rpartition("9 green")[2])
    assert (tmp_path / "there.txt").read_text() == "mine"
    assert (tmp_path / "a.txt").read_text().startswith("9 green")


def test_names_that_no_file_has_do_not_end_a_session(session, tmp_path) -> None:
    names = ("~nosuchuser/a.txt", "a" * 300, "a\0b", str(tmp_path))
    lines = ("9 green", *(f"/save {name}" for name in names), "/text")
    printed, said = session(*lines, options=("--out", tmp_path / "a.txt"))
    assert said.count("cannot be written") == 3 and "needs the name of a new file" in said
    assert printed.rstrip("\n").endswith((tmp_path / "a.txt").read_text())


def test_a_full_disk_does_not_end_a_session(session, tmp_path, monkeypatch) -> None:
    write_atomic, out, copy = files.write_atomic, tmp_path / "a.txt", tmp_path / "b.txt"

    def full(path, content) -> None:
        if path == out:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write_atomic(path, content)

    monkeypatch.setattr(files, "write_atomic", full)
    _, said = session("9 green", "", f"/save {copy}", options=("--out", out))
    assert said.count("No space left on device") == 2 and len(copy.read_text()) > 30
    assert not out.exists() and f"the text is in {out}" not in said


def test_two_sessions_write_two_files(run, tmp_path) -> None:
    """A session keeps its file for itself before anything is in it."""
    given = tmp_path / "a.txt"
    with write._held_file(run, None) as mine, write._held_file(run, given) as named:
        assert named == given and not mine.exists()

        def other() -> Path:
            with pytest.raises(InUse), write._held_file(run, given):
                pass
            with write._held_file(run, None) as free:
                return free

        # To a lock, another thread is like another process.
        with ThreadPoolExecutor() as pool:
            assert pool.submit(other).result() != mine
    with write._held_file(run, None) as free:
        assert free == mine


def test_lines_may_end_in_a_line_end_or_begin_with_a_slash(session, run, tmp_path) -> None:
    out = tmp_path / "a.txt"
    session("9 green\\", "bottles,\\", "", options=("--out", out))
    assert out.read_text().startswith("9 green\nbottles,\n")
    other = tmp_path / "b.txt"
    session("//9", options=("--out", other, "--unknown", "skip"))
    assert other.read_text().startswith("9")


def test_a_copy_is_saved_on_request(session, tmp_path) -> None:
    options = ("--out", tmp_path / "a.txt", "--prompt", "9 green")
    printed, _ = session(f"/save {tmp_path / 'copy.txt'}", options=options)
    text = (tmp_path / "copy.txt").read_text()
    assert printed == f"{text}\n" and text == (tmp_path / "a.txt").read_text()


def test_ctrl_c_stops_a_turn_and_other_signals_the_session(session, tmp_path, monkeypatch) -> None:
    """What was written before the signal is saved in both cases."""
    show, sent = write.show, []

    def interrupted(text: object = "", **options) -> None:
        show(text, **options)
        if options and not sent:
            sent.append(True)
            signals.received.append(number)
            raise KeyboardInterrupt

    monkeypatch.setattr(write, "show", interrupted)
    number = signal.SIGINT
    out = tmp_path / "int.txt"
    printed, _ = session("/length 100", "9 green", "/text", options=("--out", out))
    first = printed.split("\n9 green")[0]
    assert out.read_text() == f"9 green{first}" and len(first) == 32 and not signals.received
    sent.clear()
    number, out = signal.SIGTERM, tmp_path / "term.txt"
    try:
        with pytest.raises(AssertionError, match="interrupted"):
            session("/length 100", "9 green", "/text", options=("--out", out))
    finally:
        signals.received.clear()
    assert out.read_text() == f"9 green{first}"


def test_a_session_does_not_replace_a_file(seqgen_command, run, tmp_path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    status, _, err = seqgen_command("write", run.folder, "--out", tmp_path / "mine.txt")
    assert status == 1 and "is already there" in err
    status, _, err = seqgen_command("write", run.folder, "--prompt", "-")
    assert status == 2 and "reads turns from standard input" in err
    with pytest.raises(ConfigError):
        LimitConfig(length=1, least_length=2)


def test_a_session_with_a_label_follows_it(runs, seqgen_command, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("One\n"))
    run = runs["labelled"]
    arguments = ("write", run.folder, "--given", "site=b", "--temperature", 0, "--length", 20)
    assert seqgen_command(*arguments, "--out", tmp_path / "a.txt")[0] == 0
    options = {"condition": Labelled({"site": "b"}), "sample": GREEDY}
    [whole] = seqgen.generate(run, prompt="One", limit=LimitConfig(length=20), **options)
    text = (tmp_path / "a.txt").read_text()
    assert whole.piece.startswith(text) and len(text) > 12


def test_settings_of_a_session_are_those_of_the_engine() -> None:
    assert {"temperature", "top_p", "min_p"} <= {*write.settable(SampleConfig)}
    assert {"length", "least_length", "unit", "seconds"} == {*write.settable(LimitConfig)}
    assert not {"bias", "ban"} & {*write.settable(SampleConfig)}
