"""Labels of pieces: found in paths and pieces, put before pieces of any codec, and requested."""

import copy
import itertools
import json
import random
import shutil
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from seqgen_text.codecs.characters import CharacterCodec, CharacterOptions

import seqgen
from seqgen.cli.settings import parse_labels
from seqgen.conditions.labelled import LabelledCodec
from seqgen.conditions.labels import Label, Labelled, check_labels
from seqgen.conditions.unlabelled import UnlabelledPredictor, requested_labels, unlabelled
from seqgen.config import LimitConfig
from seqgen.conformance import codecs, trackers
from seqgen.conformance.subject import NothingToCheck, Subject, subject_of
from seqgen.data.labelling import Census, Labelling
from seqgen.errors import ConfigError, CorpusError, DataError, SeqgenError
from seqgen.evaluation.ngram import NgramModel
from seqgen.following import STRIDE
from seqgen.grammar import PART, packed
from seqgen.plugin import Codec
from seqgen.vocab import Vocab

#: The words of two sites, which share few letters.
SITES = {"a": ["mana", "lala", "nama", "alma", "laman"], "b": ["xyz", "zyx", "wyx", "zwy", "yxwz"]}

LABELS = (Label("site", "", {"a": 3, "b": 2}), Label("year", "", {"1999": 1}, without=4))


def text_of(site: str, number: int) -> str:
    draw = random.Random(f"{site}{number}")
    return " ".join(draw.choice(SITES[site]) for _ in range(20)) + "\n"


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each site, with forty short texts."""
    folder = tmp_path_factory.mktemp("sites")
    for site in SITES:
        (folder / site).mkdir()
        for number in range(40):
            (folder / site / f"{number}.txt").write_text(text_of(site, number))
    return folder


@pytest.fixture(scope="module")
def labelled(sites: Path) -> seqgen.Corpus:
    return seqgen.prepare("text", [sites], labels={"site": "{}/*.txt"})


@pytest.fixture(scope="module")
def run(labelled: seqgen.Corpus, tmp_path_factory: pytest.TempPathFactory) -> seqgen.Run:
    """A small model of both sites."""
    config = seqgen.TrainConfig(
        tokens=60_000, batch_size=8, window=32, learning_rate=1e-2, device="cpu", threads=1
    )
    model = seqgen.ModelConfig(hidden=32, embedding=8, dropout=0.0)
    made = seqgen.create_run(tmp_path_factory.mktemp("run") / "sites", labelled, model, config)
    for _ in seqgen.train(made, labelled):
        pass
    return seqgen.load(made.folder, "cpu")


class Steps(Codec):
    """A toy: digits, each one above the digit before or 0; the digit is the feature."""

    @dataclass(frozen=True)
    class Options:
        """No options."""

    options_type = Options
    options = Options()
    vocab = tuple("0123456789")
    feature_sizes = (11,)
    groups = (0,) * 5 + (1,) * 5
    word_numbers = groups
    rows = packed([[i in (0, n) for i in range(10)] + [n != 1] for n in range(11)])  # (11, 2)

    @classmethod
    def fit(cls, pieces: Iterable[str], options: Any) -> "Steps":
        return cls()

    @classmethod
    def from_state(cls, state: Any, options: Any) -> "Steps":
        return cls()

    def state(self) -> dict[str, Any]:
        return {}

    def encode(self, piece: str) -> np.ndarray:
        return np.array([int(digit) for digit in piece], np.int64)

    def decode(self, ids: np.ndarray) -> str:
        return "".join(str(token) for token in ids)

    def features(self, ids: np.ndarray) -> np.ndarray:
        return np.concatenate([[0], ids + 1])[:, None]

    def masks(self, ids: np.ndarray) -> np.ndarray:
        return self.rows[self.features(ids)[:, 0]]

    def tracker(self, condition: Any = None) -> "StepsTracker":
        super().tracker(condition)
        return StepsTracker(self)


class StepsTracker:
    def __init__(self, codec: Steps) -> None:
        self.codec, self.last = codec, 0

    def features(self) -> list[int]:
        return [self.last]

    def allowed(self) -> np.ndarray:
        return np.unpackbits(self.codec.rows[self.last], count=11).view(bool)

    def forced(self) -> int | None:
        return 10 if self.last == 11 else None

    def push(self, token: int) -> None:
        self.last = token + 1


def with_labels(codec_class: type[Codec]) -> type[Codec]:
    """Return a class that fits a codec and adds labels, as the kit expects of a codec."""

    class Made(LabelledCodec):
        options_type = codec_class.options_type

        @classmethod
        def fit(cls, pieces, options):
            return cls(codec_class.fit(pieces, options), LABELS)

        @classmethod
        def from_state(cls, state, options):
            return cls(codec_class.from_state(state, options), LABELS)

    return Made


def subject(name: str) -> Subject:
    """Return a labelled codec and pieces for the conformance kit."""
    if name == "toy":
        pieces = ["0123012", "00100123456789", "01"]
        plain = Subject("toy", None, None, "steps", Steps(), pieces, [])
    else:
        plain = subject_of(*name.split("-"))
    codec = with_labels(type(plain.codec)).fit(plain.pieces, plain.codec.options)
    ids = [codec.encode(piece)[:600] for piece in plain.pieces]
    return Subject(plain.name, plain.spec, plain.domain, plain.codec_name, codec, plain.pieces, ids)


@pytest.mark.parametrize(
    ("name", "promise"),
    [
        *itertools.product(["toy", "text-characters"], codecs.PROMISES),
        *itertools.product(["toy", "music-melody"], trackers.PROMISES),
    ],
    ids=lambda each: each if isinstance(each, str) else each.__name__,
)
def test_a_labelled_codec_keeps_the_contract(name: str, promise, tmp_path: Path) -> None:
    if name == "toy" and promise in (codecs.survives_files, codecs.decodes_anything):
        pytest.skip("the toy has no files")
    try:
        promise(subject(name), tmp_path)
    except NothingToCheck as reason:
        pytest.skip(str(reason))


@pytest.fixture
def codec() -> LabelledCodec:
    return LabelledCodec(CharacterCodec("abc", "", CharacterOptions()), LABELS)


def test_a_header_comes_before_the_ids_of_the_codec(codec) -> None:
    assert codec.vocab == ("a", "b", "c", "site=?", "site=a", "site=b", "year=?", "year=1999")
    ids = codec.encode(Labelled({"year": "1999", "site": "b"}, "cab"))
    assert ids.tolist() == [5, 7, 2, 0, 1]
    assert codec.encode("cab").tolist() == [3, 6, 2, 0, 1]
    assert codec.encode(Labelled({"site": "elsewhere"}, "cab")).tolist() == [3, 6, 2, 0, 1]
    assert codec.decode(ids) == "cab"
    assert codec.units(ids) == {"words": 1.0, "characters": 3.0, "bytes": 3.0}
    assert codec.decode(codec.continuation(ids, 4)) == "b"
    assert [codec.place(ids, at) for at in (0, 1, 2)] == ["label site", "label year", "line 1"]
    assert "".join(map(codec.text_stream(), ids.tolist())) == "cab"


def test_labels_are_lost_now_and_then_in_training(codec) -> None:
    ids = codec.encode(Labelled({"site": "a", "year": "1999"}, "cab"))
    headers = Counter()
    for seed in range(2000):
        varied = codec.augment(ids, np.random.default_rng(seed))
        assert varied[2:].tolist() == [2, 0, 1]
        headers[tuple(varied[:2].tolist())] += 1
    shares = {header: count / 2000 for header, count in headers.items()}
    assert shares == pytest.approx(
        {(4, 7): 0.73, (3, 7): 0.08, (4, 6): 0.08, (3, 6): 0.11}, abs=0.03
    )


def test_masks_of_a_long_piece_are_those_of_its_parts() -> None:
    labelled = LabelledCodec(Steps(), LABELS)
    head = np.array([11, 13])
    ids = np.concatenate([head, np.arange(3 * PART) % 10])
    masks = labelled.masks(ids)
    assert masks.shape == (len(ids) + 1, 2)
    for last in (PART, PART + 1, 3 * PART):
        part = np.concatenate([head, ids[2:][last - 4 : last]])
        np.testing.assert_array_equal(masks[last + 2], labelled.masks(part)[-1])


def test_copies_of_a_tracker_share_the_codec() -> None:
    labelled = LabelledCodec(Steps(), LABELS)
    tracker = labelled.tracker()
    for token in (11, 13, 0):
        tracker.push(token)
    other = copy.deepcopy(tracker, {id(labelled): labelled})
    assert other._tracker.codec is labelled.codec
    other.push(1)
    assert (tracker.features(), other.features()) == ([1, 2, 1], [2, 2, 1])


@pytest.mark.parametrize(
    ("pattern", "path", "value"),
    [
        ("{}/*.mid", "/music/bach/one.mid", "bach"),
        ("{}/*.mid", "/music/bach/one.txt", ""),
        ("{}/*/*.txt", "/x/anna/2020/one.txt", "anna"),
        ("*_{}_*.wav", "/x/take3_anna_01.wav", "anna"),
        ("{}.txt", "/x/a, b.c.txt", "a b.c"),
        ("./{}-?.txt", "/x/a-1.txt", "a"),
    ],
)
def test_patterns_fit_the_end_of_a_path(pattern: str, path: str, value: str) -> None:
    assert Labelling({"name": pattern}).file(Path(path)).found == {"name": value}


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ({"site": "*.txt"}, "must have one {}"),
        ({"site": "{}/{}.txt"}, "must have one {}"),
        ({"site": "**/{}.txt"}, "no \\*\\*"),
        ({"a site": "{}.txt"}, "a word of letters"),
        ({f"n{number}": "" for number in range(17)}, "at most 16 labels"),
    ],
)
def test_sources_that_cannot_be(sources, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Labelling(sources)


def test_options_of_the_command() -> None:
    assert parse_labels(["a={}/*", "b"]) == {"a": "{}/*", "b": ""}
    with pytest.raises(ConfigError, match="occurs twice"):
        parse_labels(["a", "a={}"])


def test_rarer_values_become_any(monkeypatch) -> None:
    monkeypatch.setattr("seqgen.data.labelling.MOST_VALUES", 2)
    census = Census(Labelling({"site": ""}))
    for value in ["x", "x", "y", "y", "z", ""]:
        assert census.count(Labelled({"site": value}, 5)) == 5
    [label] = census.labels()
    assert label == Label("site", "", {"x": 2, "y": 2}, rarer=1, without=2)
    assert label.summary == "label site: 2 values; 2 pieces have ?, also for 1 rarer values"


def test_a_label_that_no_piece_has(sites: Path) -> None:
    with pytest.raises(CorpusError, match=r"the pattern '\{\}.wav' fits the end of no path"):
        seqgen.prepare("text", [sites], labels={"site": "{}.wav"})
    with pytest.raises(CorpusError, match="give a pattern, such as site="):
        seqgen.prepare("text", [sites], labels={"site": ""})
    with pytest.raises(DataError, match="the function of label 'site' fails for"):
        seqgen.prepare("text", [sites], labels={"site": lambda path: 1 / 0})


def test_labels_change_neither_the_split_nor_the_units(sites: Path, labelled) -> None:
    plain = seqgen.prepare("text", [sites])
    assert plain.info["key"] != labelled.info["key"]
    assert labelled.info["units"] == plain.info["units"]
    assert "labels" not in plain.info["codec"]
    for name in ("train", "valid", "test"):
        ours, theirs = labelled.segments(name), plain.segments(name)
        assert [each.piece for each in ours] == [each.piece for each in theirs]
    for index in range(plain.info["pieces"]):
        ids, header = labelled.piece(index)[1:], labelled.piece(index)[0]
        np.testing.assert_array_equal(ids, plain.piece(index))
        site = Path(labelled.source(index)).parent.name
        assert labelled.vocab.names[header] == f"site={site}"


def test_functions_and_given_pieces(sites: Path, tmp_path: Path) -> None:
    by_function = seqgen.prepare("text", [sites], labels={"site": lambda path: path.parent.name})
    again = seqgen.prepare("text", [sites], labels={"site": lambda path: "all"})
    [label] = by_function.codec.labels
    assert label == Label("site", None, {"a": 40, "b": 40})
    assert again.info["key"] != by_function.info["key"]
    pieces = [Labelled({"site": site}, text_of(site, 1)) for site in "ab"]
    given = seqgen.write_corpus(tmp_path / "given", "text", {"train": [*pieces, "lala"]})
    assert given.codec.labels == (Label("site", None, {"a": 1, "b": 1}, without=1),)
    assert [given.vocab.names[given.piece(i)[0]] for i in range(3)] == [
        "site=a",
        "site=b",
        "site=?",
    ]


def test_labels_of_the_domain(sites: Path, monkeypatch) -> None:
    from seqgen_text.domain import Text

    monkeypatch.setattr(Text, "labels", lambda self, piece: {"first": piece[0]}, raising=False)
    corpus = seqgen.prepare("text", [sites], labels={"first": "", "site": "{}/*"}, jobs=1)
    first, site = corpus.codec.labels
    assert first.values.keys() == set("mlnaxzwy") and site.name == "site"


def test_a_pieces_own_composer(tmp_path: Path) -> None:
    from seqgen_music.domain import MusicDomain

    [piece, *_] = MusicDomain().read(MusicDomain().demo(tmp_path)[0])
    assert MusicDomain().labels(piece) == {"composer": "bach"}


def letters_of(text: str) -> str:
    """Return the site whose letters a text has: a classifier that saw real words only."""
    counts = {site: sum(text.count(each) for each in set("".join(SITES[site]))) for site in SITES}
    return max(counts, key=counts.get)


@pytest.mark.parametrize("site", SITES)
def test_pieces_are_of_the_site_that_was_requested(site: str, run) -> None:
    assert all(letters_of(text_of(site, number)) == site for number in range(40))
    condition = Labelled({"site": site})
    new = list(seqgen.generate(run, 20, condition=condition, limit=LimitConfig(length=30)))
    assert sum(letters_of(each.piece) == site for each in new) >= 18
    assert all(run.vocab.names[each.ids[0]] == f"site={site}" for each in new)


def test_without_a_request_any_site_comes(run) -> None:
    new = list(seqgen.generate(run, 40, limit=LimitConfig(length=30), seed=1))
    assert {letters_of(each.piece) for each in new} == {"a", "b"}
    assert all(run.vocab.names[each.ids[0]] == "site=?" for each in new)
    assert all(not set(each.ids[1:]) & set(run.codec._ids.values()) for each in new)


def test_prompts_limits_and_stops_leave_the_header_out(run) -> None:
    condition, limit = Labelled({"site": "a"}), LimitConfig(length=12)
    [new] = seqgen.generate(run, prompt="xyz", condition=condition, limit=limit)
    assert new.piece.startswith("xyz") and len(new.piece) <= 15 and new.prompt == 4
    [rest] = seqgen.generate(run, prompt="xyz", condition=condition, limit=limit, with_prompt=False)
    assert "xyz" + rest.piece == new.piece
    stop = [run.codec.encode(" ")]
    [word] = seqgen.generate(run, condition=condition, stop=stop)
    assert word.piece.endswith(" ") and word.piece.count(" ") == 1
    assert list(seqgen.stream(run, condition=condition, limit=limit)) == (
        next(seqgen.generate(run, condition=condition, limit=limit)).ids[1:].tolist()
    )
    [found] = seqgen.search(run, 2, condition=condition, limit=limit)
    assert letters_of(found.piece) == "a"


def test_text_is_still_written_many_tokens_a_step(run) -> None:
    from seqgen.generation.writer import Writer
    from seqgen.stepping.stepper import choose_stepper

    stepper = choose_stepper(run, 1)
    writer = Writer(stepper, run, None, Labelled({"site": "a"}), None, None, (), 0)
    drafts = [writer.draft(0)]
    assert writer.step(drafts, writer.start(drafts)).drawn == STRIDE


def test_primed_states_keep_their_labels(run) -> None:
    condition = Labelled({"site": "b"})
    primed = seqgen.prime(run, "xyz", condition=condition)
    [one] = seqgen.generate(run, prompt=primed, condition=condition)
    [two] = seqgen.generate(run, prompt="xyz", condition=condition)
    assert one.piece == two.piece
    with pytest.raises(DataError, match="made with other labels"):
        list(seqgen.generate(run, prompt=primed, condition=Labelled({"site": "a"})))


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (Labelled({"site": "c"}), "cannot follow 'site=c': this model knows a, b, ?"),
        (Labelled({"sites": "a"}), "there is no label 'sites'.*did you mean 'site'"),
        ("sit=a", "there is no label 'sit'; the labels are site.*did you mean 'site'"),
    ],
)
def test_requests_that_cannot_be(condition: Any, message: str, run) -> None:
    with pytest.raises(DataError, match=message):
        list(seqgen.generate(run, condition=condition))


def test_the_command_takes_labels(run, sites: Path, tmp_path: Path, seqgen_command) -> None:
    out = tmp_path / "out"
    made = ("generate", run.folder, "--given", "site=b", "-n", 9, "--length", 20, "--out", out)
    assert seqgen_command(*made)[0] == 0
    assert Counter(letters_of(file.read_text()) for file in out.glob("*.txt"))["b"] >= 7
    assert json.loads((out / "manifest.json").read_text())["settings"]["given"] == ["site=b"]
    status, _, said = seqgen_command("generate", run.folder, "--given", "site=b, x=1")
    assert status and "there is no label 'x'; the labels are site" in " ".join(said.split())
    status, _, said = seqgen_command(
        "generate", run.folder, "--given", "site=b", "--given", "site=a"
    )
    assert status and "label site is requested twice" in said
    status, _, said = seqgen_command("generate", run.folder, "--given", "u", "--given", "v")
    assert status and "and one text or file, found 2 texts or files: u and v" in said
    assert "labels (of this run: " in said
    status, text, _ = seqgen_command("info", run.folder)
    assert "| label site | a (40), b (40) |" in text and "\n  site: a, b, ?\n" in text
    status, text, _ = seqgen_command("info", run.folder, "--json")
    assert json.loads(text)["requests"] == {"site": "a, b, ?"}
    status, text, _ = seqgen_command("info", run.corpus().folder)
    assert "label       site: a (40), b (40)" in text
    made = ("prepare", "text", sites, "--label", "site={}/*.txt", "--out", tmp_path / "made")
    assert seqgen_command(*made)[0] == 0
    status, _, said = seqgen_command("train", "text", tmp_path / "made", "--label", "site")
    assert status and "leave out --codec, --codec-option, --read, --label" in said


def test_scores_know_the_labels_of_paths(run, sites: Path) -> None:
    right = seqgen.score_table(run, [sites / "a"])
    plain = list(seqgen.score(run, [text_of("a", number) for number in range(40)]))
    assert right.total.units["characters"] == sum(each.units["characters"] for each in plain)
    assert right.total.tokens == sum(each.tokens for each in plain)
    labels = [Labelled({"site": "a"}, text_of("a", number)) for number in range(40)]
    nats = sum(each.nats for each in seqgen.score(run, labels))
    assert right.total.nats["network"] == pytest.approx(nats, rel=1e-5)


def test_what_only_the_codec_has_is_there_with_labels() -> None:
    labelled = LabelledCodec(Steps(), LABELS)
    labelled.codec.error = (1.5, 2.5)
    for twin in (labelled, copy.deepcopy(labelled), copy.copy(labelled)):
        assert twin.error == (1.5, 2.5)
    with pytest.raises(AttributeError, match="no_such_thing"):
        _ = labelled.no_such_thing
    # What the labels change is not the codec's.
    assert len(labelled.vocab) > len(labelled.codec.vocab)


def test_a_tracker_forces_labels() -> None:
    tracker = LabelledCodec(Steps(), LABELS).tracker("year=1999")
    assert np.flatnonzero(tracker.allowed()).tolist() == [10, 11, 12]
    tracker.push(10)
    assert np.flatnonzero(tracker.allowed()).tolist() == [14]


def test_text_that_asks_for_labels(codec) -> None:
    labels = {"site": "b", "year": "1999"}
    assert requested_labels(codec, "site=b, bars=8, year=1999") == (labels, "bars=8")
    assert requested_labels(codec, "site=b, year=1999") == (labels, None)
    assert requested_labels(codec, Labelled(labels, "site=a, x")) == (labels, "x")
    assert requested_labels(codec, "Dear site, hello") == ({}, "Dear site, hello")
    assert requested_labels(unlabelled(codec), "site=b") == ({}, "site=b")


@pytest.mark.parametrize("text", ["site=b, site=a", "site = b, year=1999, site=?"])
def test_a_label_is_requested_once(codec, text: str) -> None:
    with pytest.raises(DataError, match="label site is requested twice, as 'b' and as"):
        requested_labels(codec, text)


def test_domains_see_a_predictor_without_labels(codec) -> None:
    model = NgramModel(Vocab.of(codec.vocab), 1)
    [rows] = UnlabelledPredictor(codec, model).log_probabilities([np.array([0, 1])])
    np.testing.assert_allclose(np.exp(rows), np.full((3, 4), 0.25))


def test_codecs_that_cannot_have_labels(sites: Path) -> None:
    options = {"boundary": "paragraph"}
    with pytest.raises(ConfigError, match="a boundary token resets the state"):
        seqgen.prepare("text", [sites], options=options, labels={"site": "{}/*"})
    clash = Steps()
    clash.vocab = (*"012345678", "site=a")
    with pytest.raises(ConfigError, match="tokens such as 'site=a' of its own"):
        LabelledCodec(clash, LABELS)


GOOD = {"name": "site", "source": None, "values": {"a": 1}, "rarer": 0, "without": 0}


@pytest.mark.parametrize(
    "entries",
    [
        [GOOD, GOOD],
        [GOOD | {"name": f"n{number}"} for number in range(17)],
        [GOOD | {"name": "a b"}],
        [GOOD | {"name": "x" * 101}],
        [GOOD | {"values": {f"v{number}": 1 for number in range(301)}}],
        *([GOOD | {"values": {value: 1}}] for value in ("?", "", "a,b", "a\nb", "x" * 101, " a")),
    ],
)
def test_descriptions_that_cannot_be(entries) -> None:
    with pytest.raises(DataError):
        check_labels(entries)


def test_altered_folders_are_refused(run, labelled, tmp_path: Path, alterations) -> None:
    """Every value of the labels is replaced; the folder opens as it was, or is refused."""
    for folder, name, load in (
        (run.folder, "run.json", seqgen.load),
        (labelled.folder, "corpus.json", seqgen.Corpus),
    ):
        place = Path(shutil.copytree(folder, tmp_path / name))
        info = json.loads((place / name).read_text())
        refused = 0
        for _, changed in alterations({"codec": {"labels": info["codec"]["labels"]}}):
            found = copy.deepcopy(info)
            found["codec"] |= changed.get("codec") if isinstance(changed.get("codec"), dict) else {}
            (place / name).write_text(json.dumps(found))
            try:
                assert load(place).codec.vocab == run.codec.vocab
            except SeqgenError:
                refused += 1
        assert refused > 20
    (place / name).write_text(json.dumps(info))
