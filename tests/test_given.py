"""What a program gives where pieces, paths and settings are wanted."""

from pathlib import Path

import numpy as np
import pytest

import seqgen
from seqgen.errors import ConfigError, DataError, RunError
from seqgen.run.piece_files import piece_type, write_piece
from seqgen.run.slimming import write_slim


def written(run: seqgen.Run, **arguments: object) -> seqgen.Generated:
    """Return one new piece; by default one of five tokens."""
    [new] = seqgen.generate(run, **({"limit": 5} | arguments))
    return new


def losses(run: seqgen.Run, pieces: object) -> list[float]:
    return [each.nats for each in seqgen.score(run, pieces)]


def overlaps(run: seqgen.Run, pieces: object) -> dict[str, float | None]:
    return {each.name: each.overlap for each in seqgen.compare(run, pieces)}


def test_one_path_is_a_list_of_one(verses: Path) -> None:
    one = seqgen.prepare("text", str(verses))
    assert one.info == seqgen.prepare("text", [verses]).info
    with pytest.raises(ConfigError, match="paths must be a path or a list of paths, found 3"):
        seqgen.prepare("text", 3)


def test_one_text_is_one_piece(run: seqgen.Run, tmp_path: Path) -> None:
    whole = losses(run, ["he bab"])
    assert losses(run, "he bab") == whole
    file = tmp_path / "piece.txt"
    file.write_text("he bab")
    assert losses(run, file) == losses(run, [file]) == whole
    with pytest.raises(ConfigError, match="pieces must be a list of pieces, found 3"):
        seqgen.score(run, 3)
    with pytest.raises(ConfigError, match="a piece of text is of type str, found 3; read one"):
        list(seqgen.score(run, [3]))


def test_a_new_piece_stands_for_its_piece(run: seqgen.Run) -> None:
    new = written(run)
    assert losses(run, new) == losses(run, [new]) == losses(run, [new.piece])
    assert overlaps(run, [new] * 2) == overlaps(run, [new.piece] * 2)
    assert written(run, prompt=new).ids.tolist() == written(run, prompt=new.piece).ids.tolist()
    corpus = run.corpus()
    assert seqgen.measure_novelty(corpus, new) == seqgen.measure_novelty(corpus, new.ids)


def test_a_text_names_a_file_where_pieces_are_no_texts(
    chorales: seqgen.Run, tmp_path: Path
) -> None:
    new = written(chorales, limit=40)
    [file] = new.save(tmp_path / "new.mid")
    by_name = written(chorales, prompt=str(file))
    assert by_name.ids.tolist() == written(chorales, prompt=file).ids.tolist()
    assert by_name.ids.tolist() == written(chorales, prompt=chorales.read(file)).ids.tolist()
    with pytest.raises(DataError, match=r"prompt: there is no file 'missing\.mid', and"):
        written(chorales, prompt="missing.mid")
    with pytest.raises(DataError, match=r"damaged\.mid"):
        (tmp_path / "damaged.mid").write_bytes(b"MThd no notes")
        written(chorales, prompt=tmp_path / "damaged.mid")


def test_limits_and_settings_may_be_plain_values(run: seqgen.Run) -> None:
    config = written(run, limit=seqgen.LimitConfig(length=5), sample=seqgen.SampleConfig(top_k=2))
    assert len(config.ids) <= 5
    for limit in (5, np.int64(5), {"length": 5}):
        plain = written(run, limit=limit, sample={"top_k": 2})
        assert plain.ids.tolist() == config.ids.tolist()
    with pytest.raises(ConfigError, match=r"limit must be a LimitConfig, found '5'; write limit="):
        written(run, limit="5")
    with pytest.raises(ConfigError, match="length must be"):
        written(run, limit=True)
    with pytest.raises(ConfigError, match="temperatur"):
        written(run, sample={"temperatur": 1})
    assert seqgen.SampleConfig(ban="ab").ban == ("ab",)


def test_stops_may_be_texts(run: seqgen.Run) -> None:
    ids = run.codec.encode("b")
    by_ids = written(run, limit=60, stop=[ids])
    assert by_ids.stopped_by == "stop"
    for stop in ("b", ["b"], [ids.tolist()]):
        assert written(run, limit=60, stop=stop).ids.tolist() == by_ids.ids.tolist()
    with pytest.raises(ConfigError, match="stop must be a list of texts or of arrays of ids"):
        written(run, stop=[0.5])
    with pytest.raises(ConfigError, match="stop must be a list such as"):
        written(run, stop=3)


def test_a_path_in_place_of_a_run_is_refused_by_name(run: seqgen.Run) -> None:
    with pytest.raises(ConfigError, match=r"run must be a Run, found .*seqgen\.load\("):
        list(seqgen.generate(str(run.folder)))
    with pytest.raises(ConfigError, match=r"corpus must be a Corpus, found .*seqgen\.Corpus\("):
        seqgen.create_run("unused", "corpus")
    assert not Path("unused").exists()


def test_an_unknown_argument_is_named_with_the_place_of_a_setting(run: seqgen.Run) -> None:
    for name, wanted in (
        ("temperature", r'generate\(\) .*\'temperature\'; write sample=\{"temperature": VALUE\}'),
        ("cond", r"generate\(\) .*'cond'; did you mean 'condition'\?"),
        ("whatever", r"generate\(\) got an unexpected keyword argument 'whatever'$"),
    ):
        with pytest.raises(TypeError, match=wanted):
            seqgen.generate(run, **{name: 1})


def test_an_untrained_run_is_not_handed_on(run: seqgen.Run, tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    new = seqgen.create_run(tmp_path / "new", run.corpus(), {"hidden": 8}, {"tokens": 100})
    for hand_on in (
        lambda: seqgen.push(new, "ada/new"),
        lambda: write_slim(new, tmp_path / "slim", ""),
        lambda: seqgen.load(new.folder),
    ):
        with pytest.raises(RunError, match="holds no trained model"):
            hand_on()


def test_pieces_are_written_by_the_suffix_and_replace_nothing(
    run: seqgen.Run, tmp_path: Path
) -> None:
    new = written(run)
    [file] = new.save(tmp_path / "new" / "piece.TXT")
    assert file.name == "piece.txt" and run.read(file) == new.piece
    with pytest.raises(
        RunError, match="already there; choose another name, or pass `overwrite=True`"
    ):
        new.save(file)
    run.write("he", str(file), overwrite=True)
    assert file.read_text() == "he"
    with pytest.raises(ConfigError, match=r"this piece is written as \.txt, not \.mid"):
        new.save(tmp_path / "piece.mid")
    with pytest.raises(DataError, match="pieces of this domain are of type str, found 3"):
        write_piece(run.domain, 3, tmp_path / "number.txt")
    assert [each.name for each in file.parent.iterdir()] == ["piece.txt"]


def test_public_objects_show_themselves_in_one_line(run: seqgen.Run) -> None:
    new = written(run, prompt="he ")
    shown = [
        *(run, run.corpus(), new, seqgen.SampleConfig(top_k=2), seqgen.TrainConfig()),
        *(run.model_config, next(seqgen.score(run, "he")), seqgen.prime(run, "he")),
        *(seqgen.Excerpt("he", 1), seqgen.Labelled({"a": 1}, "he")),
        *(*seqgen.compare(run, [new]), seqgen.Manuscript(run)),
    ]
    for each in shown:
        text = repr(each)
        assert "\n" not in text and " at 0x" not in text and len(text) < 400, text
    assert repr(seqgen.SampleConfig(top_k=2)) == "SampleConfig(top_k=2)"
    assert new.piece in repr(new) and "3 of the prompt" in repr(new)
    assert new.piece in new._repr_html_()


@pytest.mark.parametrize("name", ["handwriting", "music", "speech", "text"])
def test_first_party_domains_say_of_which_type_their_pieces_are(name: str) -> None:
    domain, _ = seqgen.load_domain(name)
    assert piece_type(domain) is not None


def test_unknown_symbols_are_left_out_or_replaced_if_wanted(run: seqgen.Run) -> None:
    # The verses have no ó and no §.
    known, nearest = "3 green", {"unknown": "nearest"}
    for name in ("skip", "nearest"):
        new = written(run, prompt="3 §green", stop="§t", unknown=name)
        assert new.ids.tolist() == written(run, prompt=known, stop="t").ids.tolist()
        assert losses(run, known) == [
            each.nats for each in seqgen.score(run, "3 §green", unknown=name)
        ]
    assert seqgen.prime(run, "óne", **nearest).ids.tolist() == run.codec.encode("one").tolist()
    [found] = seqgen.search(run, 1, prompt="óne", limit=2, **nearest)
    assert found.piece.startswith("one")
    with pytest.raises(DataError, match=r"prompt: nothing is left .* '§' once"):
        written(run, prompt="§", unknown="skip")
    with pytest.raises(ConfigError, match="unknown must be one of 'error', 'skip', 'nearest'"):
        written(run, prompt="3", unknown="drop")
    with pytest.raises(DataError, match="stop: character '§'"):
        written(run, stop="§")
