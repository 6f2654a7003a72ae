"""New pieces beside those of a corpus: likeness, the command, the picture."""

import json
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import seqgen
from seqgen.cli.compare import compare as command
from seqgen.cli.generate import Results, generate
from seqgen.config import LimitConfig
from seqgen.errors import ConfigError, DataError, PluginError, RunError
from seqgen.evaluation.comparison import Comparison, compare, likeness, measure
from seqgen.plugin import Metric
from seqgen.report.charts import as_svg
from seqgen.report.reading_back import newest_samples_folder, read_samples
from seqgen.report.samples import write_samples


def normal(middle: float, count: int = 2000, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(middle, 1.0, count)


def test_likeness_is_that_of_normal_distributions() -> None:
    assert likeness(normal(0), normal(0)) == (pytest.approx(1), pytest.approx(0, abs=1e-9))
    overlap, divergence = likeness(normal(0), normal(2, seed=1))
    # Two normal densities two deviations apart share 2 Phi(-1); their divergence is 2.
    assert overlap == pytest.approx(0.317, abs=0.05) and divergence == pytest.approx(2, abs=0.5)
    overlap, divergence = likeness(normal(0), normal(100))
    assert overlap < 0.01 and divergence > 5


def test_values_that_are_all_the_same_are_alike() -> None:
    assert likeness(np.zeros(5), np.zeros(3)) == (1.0, 0.0)
    assert likeness(np.zeros(5), np.ones(3))[0] < 0.01


def lengths(self, generated, reference) -> dict[str, Metric]:
    """Measure texts: their length, and the shares of vowels and other characters."""
    sides = [list(generated), list(reference)]
    vowels = [
        np.array([[sum(c in "aeiou" for c in t), sum(c not in "aeiou" for c in t)] for t in side])
        for side in sides
    ]
    return {
        "length": Metric(
            "characters", *(np.array([len(t) or np.nan for t in side]) for side in sides)
        ),
        "vowels": Metric(
            "", *(v / np.maximum(v.sum(axis=1, keepdims=True), 1) for v in vowels), ("yes", "no")
        ),
    }


@pytest.fixture
def measured(monkeypatch) -> None:
    monkeypatch.setattr("seqgen_text.domain.Text.metrics", lengths, raising=False)


def test_corpus_pieces_are_like_the_corpus_and_others_are_not(run, corpus, measured) -> None:
    held_out = [
        corpus.codec.decode(np.asarray(corpus.piece(segment.piece), np.int64))
        for segment in corpus.segments("valid")
    ]
    by_name = {one.name: one for one in compare(run, held_out)}
    assert by_name.keys() == {"length", "vowels"}
    for one in by_name.values():
        assert np.array_equal(one.metric.generated, one.metric.reference)
    strange = {one.name: one for one in compare(run, ["a" * 1000, "e" * 2000])}
    assert strange["length"].overlap < 0.1 < by_name["length"].overlap
    assert strange["vowels"].sides_as_text()[0] == "yes 100%"


def test_one_new_piece_has_neither_deviation_nor_overlap(run, measured) -> None:
    one, several = (
        {each.name: each for each in compare(run, pieces)} for pieces in (["aeb"], ["aeb", "a"])
    )
    assert one["length"].sides_as_text()[0] == "3 ± n/a"
    assert one["length"].likeness_as_text() == ("n/a", "n/a")
    assert one["length"].as_json()["generated"]["deviation"] is None
    assert one["vowels"].sides_as_text()[0] == "yes 67%"
    assert several["length"].sides_as_text()[0] == "2 ± 1"
    assert "n/a" not in several["length"].likeness_as_text()
    assert "overlap" not in as_svg([one["length"]]) and "overlap" in as_svg([several["length"]])


def test_pieces_without_a_value_are_left_out(run, measured) -> None:
    found = measure(run.domain, ["", "abc"], ["de", "f"])
    assert found["length"].generated.tolist() == [3] and len(found["length"].reference) == 2


def test_arrays_of_another_shape_are_the_plugins_fault(run, monkeypatch) -> None:
    wrong = {"odd": Metric("", np.zeros(3), np.zeros(1))}
    monkeypatch.setattr(
        "seqgen_text.domain.Text.metrics", lambda self, one, two: wrong, raising=False
    )
    with pytest.raises(PluginError, match=r"'odd' of shape \(3,\), expected \(1,\)"):
        measure(run.domain, ["a"], ["b"])


def test_the_picture_is_xml_with_a_chart_for_each_property() -> None:
    few = [
        Comparison("a <b>", Metric("bits", np.arange(3.0), np.arange(9.0)), 0.5, 0.1),
        Comparison("same", Metric("", np.ones(2), np.ones(2)), None, None),
        Comparison("bins", Metric("", np.eye(2), np.eye(2), ("x", "y")), 1.0, 0.0),
    ]
    picture = ET.fromstring(as_svg(few))
    groups = [element for element in picture if element.tag.endswith("}g")]
    assert [group[0].text for group in groups] == ["a <b>", "same", "bins"]
    numbers = [
        float(number)
        for shape in picture.iter()
        for pair in shape.get("points", "").split()
        for number in pair.split(",")
    ]
    assert numbers and all(0 <= number <= 190 for number in numbers)


def test_the_command_writes_figures_and_picture(run, measured, tmp_path: Path, capsys) -> None:
    new = seqgen.generate(run, 4, limit=LimitConfig(length=60))
    folder = write_samples(run, new, tmp_path / "new").folder
    command(run.folder, folder)
    out = capsys.readouterr().out
    assert "length" in out and "characters" in out and str(folder / "metrics.svg") in out
    written = json.loads((folder / "metrics.json").read_text())
    assert written["split"] == "valid" and written["metrics"]["vowels"]["bins"] == ["yes", "no"]
    assert written["metrics"]["length"]["generated"]["pieces"] == 4
    ET.fromstring((folder / "metrics.svg").read_text())
    command(run.folder, folder, json=True)
    assert json.loads(capsys.readouterr().out) == written


def test_pieces_are_read_back(run, tmp_path: Path) -> None:
    new = list(seqgen.generate(run, 3, limit=LimitConfig(length=60)))
    folder = write_samples(run, new, tmp_path / "new").folder
    assert read_samples(run, folder) == ([piece.piece for piece in new], [])
    (folder / "text-2.txt").unlink()
    with pytest.raises(DataError, match=r"text-2\.txt cannot be read back"):
        read_samples(run, folder)
    with pytest.raises(RunError, match="not a folder of samples"):
        read_samples(run, tmp_path)


def test_pieces_that_hold_nothing_are_left_out_and_told(run, tmp_path: Path) -> None:
    new = list(seqgen.generate(run, 2, limit=LimitConfig(length=60)))
    folder = write_samples(run, new, tmp_path / "new").folder
    (folder / "text-1.txt").write_bytes(b"\xff\0")
    [kept], [reason] = read_samples(run, folder)
    assert kept == new[1].piece and reason.startswith("text-1.txt: ")
    (folder / "text-2.txt").write_bytes(b"\xff\0")
    with pytest.raises(DataError, match=r"no piece in .* can be read back .*generate pieces as"):
        read_samples(run, folder)


def test_a_piece_on_several_pages_is_not_taken_for_several(run, tmp_path: Path) -> None:
    folder = write_samples(run, seqgen.generate(run, 1), tmp_path / "new").folder
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["pieces"][0]["files"] *= 2
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="and others are one piece"):
        read_samples(run, folder)


def test_a_manifest_that_was_altered_is_refused(run, tmp_path: Path) -> None:
    folder = write_samples(run, seqgen.generate(run, 1), tmp_path / "new").folder
    manifest, [path] = folder / "manifest.json", folder.glob("*.txt")
    entries: list[object] = [None, 5, "x", [5], ["x"], [{}], [{"files": 5}], [{"files": [None]}]]
    for pieces in entries:
        manifest.write_text(json.dumps({"pieces": pieces}))
        with pytest.raises(RunError, match=r"not a folder of samples .*; write one with"):
            read_samples(run, folder)
    manifest.write_text(json.dumps({"pieces": []}))
    with pytest.raises(DataError, match="no piece in"):
        read_samples(run, folder)
    wrong = ("", ".", "..", f"../new/{path.name}", str(path), "a\0b", "gone")
    for names in ([], *([name] for name in wrong)):
        manifest.write_text(json.dumps({"pieces": [{"files": names}]}))
        with pytest.raises(DataError, match=r"no file|outside its|cannot be read back"):
            read_samples(run, folder)


def test_a_parser_that_fails_on_a_sample_costs_that_one(run, tmp_path: Path, monkeypatch) -> None:
    folder = write_samples(run, seqgen.generate(run, 1), tmp_path / "new").folder

    def broken(path: Path, options) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(run.domain, "read", broken)
    with pytest.raises(DataError, match="ZeroDivisionError: by nothing"):
        read_samples(run, folder)


def test_what_cannot_be_compared_is_told(run, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("seqgen_text.domain.Text.metrics", lambda self, one, two: {})
    folder = write_samples(run, seqgen.generate(run, 1), tmp_path / "new").folder
    with pytest.raises(ConfigError, match="the domain text has no metrics"):
        command(run.folder, folder)


def test_the_newest_samples_are_meant(run, tmp_path: Path, capsys, measured) -> None:
    ignored = shutil.ignore_patterns("samples")
    run = seqgen.load(shutil.copytree(run.folder, tmp_path / "run", ignore=ignored), "cpu")
    with pytest.raises(RunError, match="has no samples yet"):
        newest_samples_folder(run)
    for number in (1, 2):
        generate(run.folder, count=number, limit=LimitConfig(length=60), results=Results(page=True))
        newest = newest_samples_folder(run)
        assert newest.name == str(number)
        page = (newest / "index.html").read_text()
        assert page.count("<figure") == number and "Compared with the corpus" in page
        assert "Longest copied span" in page and (newest / "metrics.json").exists()
    command(run.folder)
    assert str(newest / "metrics.json") in capsys.readouterr().out
    # What was made last counts, whatever was deleted.
    shutil.rmtree(run.folder / "samples" / "1")
    assert newest_samples_folder(run) == newest
    assert write_samples(run, []).folder.name == "3"


def test_a_page_does_without_the_corpus(run, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setitem(run.info["corpus"], "folder", "/nowhere")
    monkeypatch.setenv("SEQGEN_CACHE", str(tmp_path / "empty"))
    monkeypatch.setattr("seqgen.run.folder.load", lambda folder, device, corpus: run)
    options = {"limit": LimitConfig(length=30), "results": Results(page=True)}
    generate(run.folder, out=tmp_path / "new", **options)
    assert "without novelty and metrics" in capsys.readouterr().err
    page = (tmp_path / "new" / "index.html").read_text()
    assert "Compared with the corpus" not in page and "copied span" not in page


def test_a_demo_asks_for_the_first_probes_with_all_labels_in_turn(run, monkeypatch) -> None:
    from seqgen_text.domain import Text

    from seqgen.conditions.labelled import LabelledCodec
    from seqgen.conditions.labels import Label
    from seqgen.evaluation.probing import typical_conditions

    assert typical_conditions(run, 3) == []
    monkeypatch.setattr(Text, "probes", lambda self, codec: ["a", "b"])
    assert typical_conditions(run, 3) == ["a", "b", "a"]
    labels = [Label("site", None, {"x": 1, "y": 2, "z": 9}), Label("year", None, {"1": 3})]
    labelled = SimpleNamespace(domain=Text(), codec=LabelledCodec(run.codec, labels))
    asked = typical_conditions(labelled, 3)
    assert [(*one.labels.values(), one.content) for one in asked] == [
        *(("x", "1", "a"), ("y", "1", "b"), ("z", "1", "a"))
    ]


def test_labels_that_were_asked_for_are_judged(tmp_path: Path, monkeypatch) -> None:
    """The judge learns from training pieces alone, and judges new and held-out ones."""
    from seqgen_text.domain import Text

    from seqgen.evaluation.probing import probe

    pieces = [seqgen.Labelled({"site": "xy"[n % 2]}, "xy"[n % 2] * (n + 5)) for n in range(20)]
    held = [seqgen.Labelled({"site": "x"}, "yyy"), seqgen.Labelled({}, "x"), *pieces[:1]]
    data = {"train": pieces, "valid": held}
    corpus = seqgen.write_corpus(tmp_path / "corpus", "text", data, codec="characters")
    model = seqgen.ModelConfig(hidden=8, embedding=4)
    config = seqgen.TrainConfig(tokens=500, device="cpu")
    run = seqgen.create_run(tmp_path / "run", corpus, model, config)
    for _ in seqgen.train(run, corpus):
        pass
    assert probe(run, corpus) == [], "a domain without a judge"
    learned: list[seqgen.Labelled] = []

    def judge(self, pieces):
        learned.extend(pieces)
        return lambda piece: {"site": piece[:1]}

    monkeypatch.setattr(Text, "label_judge", judge)
    [site] = probe(run, corpus, most=6, seed=3)
    assert site.name == "given site that is recognised"
    assert [(one.labels, one.content) for one in learned] == [
        (one.labels, one.content) for one in pieces
    ]
    # The piece without a label has no value.
    assert site.metric.reference.tolist() == [0, 1]
    expected = []
    for number in range(6):
        asked = "xy"[number % 2]
        condition = seqgen.Labelled({"site": asked})
        [new] = seqgen.generate(run, condition=condition, seed=3 + number)
        expected.append(float(new.piece[:1] == asked))
    assert site.metric.generated.tolist() == expected
    # With probes, it is asked for both at once.
    monkeypatch.setattr(Text, "probes", lambda self, codec: [None] * 3)
    [site] = probe(run, corpus, seed=3)
    assert site.metric.generated.tolist() == expected[:3]


def test_a_domain_with_probes_has_them_written_and_measured(run, monkeypatch) -> None:
    """What is measured is what was asked for, with the pieces that were written for it."""
    from seqgen_text.domain import Text

    from seqgen.evaluation.probing import probe

    asked = []

    def measured(self, probes, written, reference):
        asked.append((list(probes), list(written)))
        values = np.arange(len(written), dtype=float)
        return {"followed": Metric("", values, np.ones(len(list(reference))))}

    assert probe(run) == [], "a domain without probes"
    monkeypatch.setattr(Text, "probes", lambda self, codec: [None, None, None])
    monkeypatch.setattr(Text, "measure_probes", measured)
    [followed] = probe(run)
    assert followed.name == "followed" and followed.metric.generated.tolist() == [0, 1, 2]
    seen: list[tuple[int, int]] = []
    probe(run, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert asked[0] == asked[1] and len(set(asked[0][1])) == 3
    monkeypatch.setattr(
        Text, "measure_probes", lambda *_: {"followed": Metric("", np.ones(1), np.ones(1))}
    )
    with pytest.raises(PluginError, match="measures 'followed' of shape"):
        probe(run)
