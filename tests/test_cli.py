"""The command: what it prints, writes and exits with."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import weakref
from pathlib import Path

import pytest

import seqgen
import seqgen.cli
from seqgen.plugin import Tracker

TINY = [
    "--tokens",
    "3000",
    "--batch-size",
    "4",
    "--window",
    "16",
    "--hidden",
    "16",
    "--embedding",
    "8",
]


def unboxed(text: str) -> str:
    """Return a message without the box around it and the line breaks in it."""
    return " ".join(text.replace("│", " ").split())


@pytest.fixture
def trained(seqgen_command, verses: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "trained"
    status, out, _ = seqgen_command("train", "text", verses, "--out", folder, *TINY)
    assert status == 0 and out.strip() == str(folder)
    return folder


def test_domains(seqgen_command) -> None:
    status, out, _ = seqgen_command("domains")
    assert status == 0 and "music" in out and "seqgen-text 0.1.0" in out
    status, out, _ = seqgen_command("domains", "--json")
    listed = {entry["name"]: entry for entry in json.loads(out)}
    assert listed["text"]["status"] == "ok" and ".txt" in listed["text"]["suffixes"]


def test_version(seqgen_command) -> None:
    assert seqgen_command("--version")[1].strip() == f"seqgen {seqgen.__version__}"


@pytest.mark.parametrize("name", seqgen.cli.COMMANDS)
def test_help_shows_only_defaults_that_say_something(seqgen_command, name: str) -> None:
    _, out, _ = seqgen_command(name, "--help")
    shown = unboxed(out)
    for nothing in ("None", "False", "()", "0.0", ""):
        assert f"[default: {nothing}]" not in shown


def test_python_m_seqgen_is_the_command() -> None:
    command = [sys.executable, "-m", "seqgen", "--version"]
    assert subprocess.run(command, capture_output=True, text=True).stdout.startswith("seqgen ")


def test_a_reader_who_has_had_enough_ends_the_command_quietly() -> None:
    command = [sys.executable, "-m", "seqgen", "domains"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_a_command_that_was_started_without_an_output_works() -> None:
    code = "import sys; sys.stdout = None; sys.argv = ['seqgen', 'domains', '--json']\n"
    code += "from seqgen.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_prepare_reports_what_it_left_out(seqgen_command, verses: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.txt"
    bad.write_bytes(b"\xff\0")
    status, out, err = seqgen_command("prepare", "text", verses, bad, "--out", tmp_path / "c")
    assert status == 0 and out.strip() == str(tmp_path / "c")
    assert "40 pieces as characters tokens" in err and "left out 1 source that" in err
    assert "bad.txt: it is no text" in err
    status, out, _ = seqgen_command("info", tmp_path / "c")
    assert status == 0 and "bad.txt: it is no text" in out
    assert json.loads(seqgen_command("info", tmp_path / "c", "--json")[1])["pieces"] == 40


def test_train_reads_a_prepared_corpus_too(seqgen_command, verses: Path, tmp_path: Path) -> None:
    seqgen_command("prepare", "text", verses, "--out", tmp_path / "c")
    arguments = ("text", tmp_path / "c", "--out", tmp_path / "run", *TINY, "--json")
    status, out, err = seqgen_command("train", *arguments)
    assert status == 0 and json.loads(out)["model"]["hidden"] == 16
    assert "best validation loss" in err and "valid" in err and " with 1 thread;" in err
    assert "without calibration the loss was" in err and "fitted on the same tokens" in err
    status, _, err = seqgen_command("train", "music", tmp_path / "c", *TINY)
    assert status == 2 and "is a corpus of text, not music" in err
    arguments = ("train", "text", tmp_path / "c", "--codec", "characters", *TINY)
    status, _, err = seqgen_command(*arguments)
    assert status == 2 and "is encoded already" in err


def test_a_training_that_was_too_long_is_told_so() -> None:
    from seqgen.run.card import advice_for

    assert advice_for({"fraction": 0.9, "tokens": 9_000}, 1_000) == ""
    advice = advice_for({"fraction": 0.1, "tokens": 4_900}, 1_000)
    assert "lowest after 4.9 epochs, 10% of this training" in advice and "`epochs=5`" in advice


def test_score_lists_the_worst_first_beside_the_baseline(
    seqgen_command, trained: Path, verses: Path, tmp_path: Path
) -> None:
    odd = tmp_path / "odd.txt"
    odd.write_text("gnigd nno bltoe")
    (tmp_path / "unknown.txt").write_text("naïve green")
    arguments = ("score", trained, verses / "03.txt", odd, tmp_path / "unknown.txt")
    status, out, err = seqgen_command(*arguments, "--adaptive")
    head, worst, best, total = out.splitlines()
    assert status == 0 and head.split() == [
        *("network", "baseline", "adaptive", "perplexity/word", "bits/character", "bits/byte"),
        *("tokens", "piece"),
    ]
    assert worst.endswith(str(odd)) and best.endswith("03.txt") and "all 2 pieces" in total
    assert "left out 1 source that" in err and "'ï' at position 3" in err
    status, out, _ = seqgen_command(*arguments, "--json")
    found = json.loads(out)
    first, second = found["pieces"]
    assert first["tokens"] == 15 and first["units"] == {"words": 3, "characters": 15, "bytes": 15}
    piece = (verses / "03.txt").read_text()
    [scored] = seqgen.score(seqgen.load(trained, "cpu"), [piece])
    assert second["nats"]["network"] == pytest.approx(scored.nats, rel=1e-5)
    assert found["total"]["nats"]["baseline"] == pytest.approx(
        first["nats"]["baseline"] + second["nats"]["baseline"]
    )
    assert found["skipped"][0]["source"].endswith("unknown.txt")
    assert found["likelihoods"] == {}


@pytest.mark.parametrize("options", [[], ["--adaptive"]])
def test_score_holds_no_piece_that_it_has_read(
    seqgen_command, trained: Path, verses: Path, monkeypatch, options: list[str]
) -> None:
    alive: set[int] = set()
    most = []

    def encoded(*_, **__):
        codec = seqgen.load(trained, "cpu").codec
        for number in range(200):
            ids = codec.encode("one green bottle")
            alive.add(number)
            weakref.finalize(ids, alive.discard, number)
            most.append(len(alive))
            yield f"{number}.txt", ids

    monkeypatch.setattr("seqgen.evaluation.table.encode_files", encoded)
    assert seqgen_command("score", trained, verses, *options)[0] == 0
    assert len(most) == 200 and max(most) < 100


def test_score_reads_splits_of_a_corpus(seqgen_command, trained: Path, tmp_path: Path) -> None:
    run = seqgen.load(trained)
    for options, split in (([], "test"), (["--split", "valid"], "valid")):
        status, out, err = seqgen_command("score", trained, "--json", *options)
        assert status == 0 and f"scoring the split '{split}'" in err
        assert json.loads(out)["total"]["tokens"] == run.corpus().size(split)
    status, out, _ = seqgen_command("score", trained, run.corpus().folder, "--json")
    assert json.loads(out)["total"]["tokens"] == run.corpus().size("test")
    (tmp_path / "a.txt").write_text("xyz " * 30)
    seqgen_command("prepare", "text", tmp_path / "a.txt", "--out", tmp_path / "other")
    status, _, err = seqgen_command("score", trained, tmp_path / "other")
    assert status == 4 and "another vocabulary" in err
    status, _, err = seqgen_command("score", trained, tmp_path / "a.txt", "--split", "test")
    assert status == 2 and "--split is for a corpus" in err


def test_score_says_whether_the_network_is_worth_having(seqgen_command, trained: Path, run) -> None:
    assert "does not beat the" in seqgen_command("score", trained)[2]
    assert "the network beats the" in seqgen_command("score", run.folder, "--split", "train")[2]


def test_score_does_without_a_baseline_where_the_corpus_is_gone(
    seqgen_command, verses: Path, tmp_path: Path, monkeypatch
) -> None:
    seqgen_command("prepare", "text", verses, "--out", tmp_path / "c")
    seqgen_command("train", "text", tmp_path / "c", "--out", tmp_path / "run", *TINY)
    (tmp_path / "c" / "corpus.json").unlink()
    monkeypatch.setenv("SEQGEN_CACHE", str(tmp_path / "empty"))
    status, out, err = seqgen_command("score", tmp_path / "run", verses / "03.txt")
    assert status == 0 and "no baseline" in err and "baseline" not in out


def test_score_says_what_a_domain_says_of_files(
    seqgen_command, tmp_path: Path, monkeypatch
) -> None:
    import numpy as np
    from seqgen_handwriting.domain import Handwriting
    from seqgen_handwriting.ink import Ink
    from seqgen_handwriting.measures.likelihood import soft_nats

    rng, folder = np.random.default_rng(0), tmp_path / "ink"
    folder.mkdir()
    for number in range(20):
        steps = rng.normal([4, 0], 3, (2, 12, 2)).cumsum(axis=1)
        Handwriting().write(Ink(tuple(steps)), folder / f"{number:02}.json")
    trained = tmp_path / "run"
    few = ("--codec-option", "draw=12", "--codec-option", "move=4", "--out", trained, *TINY)
    status, _, err = seqgen_command("train", "handwriting", folder, *few)
    assert status == 0, err
    files, dot = [folder / "03.json", folder / "07.json"], tmp_path / "dot.json"
    Handwriting().write(Ink((np.zeros((1, 2)),)), dot)
    status, out, err = seqgen_command("score", trained, *files, dot, "--json")
    assert status == 0 and "left out 1 source that" in err
    run = seqgen.load(trained)
    inks = [ink for file in files for ink in Handwriting().read(file)]
    nats = soft_nats(run.codec, seqgen.NetworkPredictor(run, grammar=False), inks)
    side = "at 1 % of the side"
    assert json.loads(out)["likelihoods"] == {
        f"soft nats per point {side}": pytest.approx(nats.soft_per_point),
        f"soft nats per drawing {side}": pytest.approx(nats.soft_per_drawing),
    }
    out = seqgen_command("score", trained, *files)[1]
    assert f"soft nats per point {side}: {nats.soft_per_point:.4f}\n" in out
    given = []
    monkeypatch.setattr(Handwriting, "likelihoods", lambda _, *values: given.extend(values) or {})
    assert seqgen_command("score", trained, *files)[0] == 0
    codec, predictor, _ = given
    # The plugin sees ids and log-probabilities, and nothing else of the run.
    assert isinstance(codec, type(run.codec))
    assert [name for name in dir(predictor) if name[0] != "_"] == ["log_probabilities"]
    monkeypatch.undo()
    # What a corpus keeps lies on the codes.
    for corpus in ([], [run.corpus().folder]):
        out = seqgen_command("score", trained, *corpus, "--json")[1]
        assert json.loads(out)["likelihoods"] == {}


def test_generate_adapts_to_the_prompt(seqgen_command, trained: Path, tmp_path: Path) -> None:
    arguments = ("generate", trained, "--length", 200, "--json", "--prompt", "2 green " * 20)
    texts = []
    for options in ([], ["--adapt"]):
        folder = tmp_path / str(len(texts))
        status, out, _ = seqgen_command(*arguments, *options, "--out", folder)
        assert status == 0 and json.loads(out)["settings"]["adapt"] == bool(options)
        texts.append((folder / "text-1.txt").read_text())
    assert texts[0] != texts[1]
    status, _, err = seqgen_command("generate", trained, "--adapt")
    assert status == 2 and "--adapt needs a prompt" in err


def test_generate_prints_writes_and_numbers_its_folders(seqgen_command, trained: Path) -> None:
    status, out, _ = seqgen_command("generate", trained, "-n", 2, "--length", 20)
    first = trained / "samples" / "1"
    assert status == 0 and str(first / "text-2.txt") in out
    assert (first / "text-1.txt").read_text() in out
    status, out, _ = seqgen_command("generate", trained, "-n", 2, "--length", 20, "--json")
    manifest = json.loads(out)
    assert (trained / "samples" / "2").is_dir() and len(manifest["pieces"]) == 2
    status, _, err = seqgen_command("generate", trained, "--out", first)
    assert status == 1 and "already there" in err and "pass --overwrite" in err


def test_its_own_output_is_not_read_as_a_corpus(
    seqgen_command, trained: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text("a text of mine")
    seqgen_command("generate", trained, "-n", 2, "--length", 20)
    _, out, _ = seqgen_command("prepare", "text", tmp_path, "--json")
    assert [Path(file["name"]).name for file in json.loads(out)["files"]] == ["mine.txt"]


def test_what_the_system_refuses_is_a_message(seqgen_command, trained: Path, monkeypatch) -> None:
    def full(*_: object) -> None:
        error = OSError(28, "No space left on device")
        error.add_note("it was nearly done")
        raise error

    monkeypatch.setattr("seqgen.files.os.fsync", full)
    status, _, err = seqgen_command("generate", trained, "--length", 5)
    assert status == 1 and f"No space left on device: '{trained / 'samples/1'}'" in err
    assert "free some space, or write elsewhere (--out); it was nearly done" in err


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no endless device")
def test_a_prompt_that_never_ends_is_refused(seqgen_command, trained: Path, monkeypatch) -> None:
    monkeypatch.setattr("seqgen.cli.standard_input.LONGEST_TEXT", 2 << 20)
    for prompt in ("/dev/zero", "-"):
        with Path("/dev/zero").open() as endless:
            monkeypatch.setattr("sys.stdin", endless)
            status, _, err = seqgen_command("generate", trained, "--prompt", prompt)
        assert status == 4 and "more than 2 MB" in err


def test_generate_continues_a_prompt_file(seqgen_command, trained: Path, tmp_path: Path) -> None:
    prompt = tmp_path / "prompt.txt"
    prompt.write_text("one green ")
    _, out, _ = seqgen_command("generate", trained, "--prompt", prompt, "--length", 30)
    assert out.startswith("one green ")
    arguments = ("generate", trained, "--prompt", prompt, "--prompt-tokens", 3, "--length", 30)
    assert seqgen_command(*arguments)[1].startswith("one")
    status, _, err = seqgen_command("generate", trained, "--prompt", tmp_path / "nowhere")
    assert status == 4 and "there is no file" in err
    arguments = ("--prompt", "/* one", "--unknown", "skip", "--length", 30)
    status, out, _ = seqgen_command("generate", trained, *arguments)
    assert status == 0 and out.startswith(" one")


def test_info_describes_a_run(seqgen_command, trained: Path) -> None:
    status, out, _ = seqgen_command("info", trained)
    assert status == 0 and "# A text model" in out
    assert json.loads(seqgen_command("info", trained, "--json")[1])["domain"] == "text"


def test_info_draws_how_the_loss_fell(seqgen_command, trained: Path, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    _, out, _ = seqgen_command("info", trained)
    assert "validation, " in out and "(seconds)" in out and "\x1b" not in out
    assert all(len(line) <= 60 for line in out[out.index("(nats)") :].splitlines())
    plain = io.TextIOWrapper(io.BytesIO(), "cp1252")
    monkeypatch.setattr("sys.stdout", plain)
    assert seqgen_command("info", trained)[0] == 0
    plain.seek(0)
    assert "o validation, " in plain.read()


def test_info_draws_into_a_file(seqgen_command, trained: Path, tmp_path: Path) -> None:
    image = tmp_path / "loss.svg"
    status, out, _ = seqgen_command("info", trained, "--plot", image)
    assert status == 0 and out.splitlines()[-1] == str(image)
    written = image.read_bytes()
    image.write_text("mine")
    status, _, err = seqgen_command("info", trained, "--plot", image)
    assert status == 1 and "pass --overwrite" in err and image.read_text() == "mine"
    assert seqgen_command("info", trained, "--plot", image, "--overwrite")[0] == 0
    assert image.read_bytes() == written
    status, _, err = seqgen_command("info", trained, "--plot", tmp_path / "loss.gif")
    assert status == 2 and ".png or .svg" in err
    (trained / "metrics.jsonl").unlink()
    status, _, err = seqgen_command("info", trained, "--plot", tmp_path / "none.svg")
    assert status == 1 and "no record of a training" in err and not (tmp_path / "none.svg").exists()


def test_reports_for_tensorboard_are_those_of_the_metrics(
    seqgen_command, verses: Path, tmp_path: Path
) -> None:
    pytest.importorskip("tensorboardX", reason="an optional extra")
    out = tmp_path / "run"
    assert (
        seqgen_command("train", "text", verses, "--out", out, "--events", "tensorboard", *TINY)[0]
        == 0
    )
    found: dict[str, list[tuple[int, float]]] = {}
    for event in events(out / "events" / "tensorboard"):
        for value in event.summary.value:
            found.setdefault(value.tag, []).append((event.step, value.simple_value))
    lines = seqgen.load(out, "cpu").metrics
    for tag, name in (
        ("loss/training", "loss"),
        ("loss/validation", "valid_loss"),
        ("learning_rate", "learning_rate"),
    ):
        wanted = [(line["step"], line[name]) for line in lines if line[name] is not None]
        assert len(wanted) >= 10 and found[tag] == [
            (step, pytest.approx(value)) for step, value in wanted
        ]
    assert len(found["tokens_per_second"]) == len(lines)


def interrupted(folder: Path, corpus: seqgen.Corpus) -> int:
    """Leave a training at its first evaluation; return after which step."""
    shape = seqgen.ModelConfig(hidden=16, embedding=8)
    config = seqgen.TrainConfig(tokens=3_000, batch_size=4, window=16, device="cpu")
    training = seqgen.train(seqgen.create_run(folder, corpus, shape, config), corpus)
    return next(report.step for report in training if report.valid_loss is not None)


def test_reports_for_tensorboard_go_on_after_an_interruption(
    seqgen_command, corpus, tmp_path: Path
) -> None:
    pytest.importorskip("tensorboardX", reason="an optional extra")
    folder = tmp_path / "run"
    last = interrupted(folder, corpus)
    (folder / "events" / "tensorboard").mkdir(parents=True)
    assert seqgen_command("resume", folder)[0] == 0
    steps = [line["step"] for line in seqgen.load(folder, "cpu").metrics]
    assert [event.step for event in events(folder / "events" / "tensorboard") if event.step] == [
        step for step in steps if step > last
    ]


def events(folder: Path) -> list:
    """Return the events of a folder: a length, its checksum, an event, its checksum, and so on."""
    from tensorboardX.proto.event_pb2 import Event

    [path] = folder.iterdir()
    data, found = path.read_bytes(), []
    while data:
        length = int.from_bytes(data[:8], "little")
        found.append(Event.FromString(data[12 : 12 + length]))
        data = data[16 + length :]
    return found


def test_a_missing_tensorboard_is_told_with_the_way_out(
    seqgen_command, verses: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX.event_file_writer", None)
    monkeypatch.delitem(sys.modules, "seqgen.training.tensorboard", raising=False)
    arguments = (
        "train",
        "text",
        verses,
        "--out",
        tmp_path / "run",
        "--events",
        "tensorboard",
        *TINY,
    )
    status, _, err = seqgen_command(*arguments)
    assert status == 3 and "pip install 'seqgen-toolkit[tensorboard]'" in err


def test_an_interrupted_training_is_resumed(seqgen_command, corpus, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    interrupted(folder, corpus)
    status, out, err = seqgen_command("resume", folder)
    assert status == 0 and out.strip() == str(folder) and "best validation loss" in err
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == sorted({row["step"] for row in rows})
    assert rows[-1]["fraction"] == 1
    status, _, err = seqgen_command("resume", folder)
    assert status == 1 and "is finished; to train its model further" in err
    assert f"seqgen train text PATHS --from {folder}" in err


def test_what_is_chosen_is_told_with_its_reasons(
    seqgen_command, verses: Path, tmp_path: Path
) -> None:
    arguments = ("train", "text", verses, "--out", tmp_path / "run", "--tokens", 2_000)
    status, _, err = seqgen_command(*arguments)
    info = json.loads((tmp_path / "run/run.json").read_text())
    assert status == 0 and info["plan"]["reasons"]
    assert all(f"chose {reason}" in err for reason in info["plan"]["reasons"])
    assert f"to beat: {info['baseline']['order']}-grams" in err
    assert "predicts better than this network" in err, "a network of one second is told so"


def test_settings_come_from_a_file_and_the_command_line_wins(
    seqgen_command, verses: Path, tmp_path: Path
) -> None:
    config = tmp_path / "small.toml"
    config.write_text("[train]\nhidden = 24\ntokens = 2000\nbatch_size = 4\nwindow = 16\n")
    out = tmp_path / "run"
    arguments = ("--config", config, "train", "text", verses, "--out", out, "--batch-size", 2)
    assert seqgen_command(*arguments)[0] == 0
    info = json.loads((out / "run.json").read_text())
    assert (info["model"]["hidden"], info["train"]["batch_size"], info["train"]["tokens"]) == (
        24,
        2,
        2000,
    )


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["train", "text", "--hiden", "3"], 2, "did you mean --hidden?"),
        (["generate", "x", "--temp", "0.7"], 2, "no option --temp; did you mean --temperature?"),
        (["generate", "x", "--te=0.7"], 2, "no option --te; did you mean --temperature?"),
        (["train", "text", "--hidden", "-1"], 2, "--hidden must be from 0 to 16,384"),
        (["generate", "x", "--top-p", "2"], 2, "--top-p must be from 1e-06 to 1, found 2"),
        (["generate", "x", "--candidates", "2.5"], 2, "--candidates must be a whole number"),
        (["trian", "text"], 2, "no command 'trian'; did you mean 'train'?"),
        (["demo", "musik"], 3, "did you mean 'music'"),
        (["info", "nowhere"], 1, "nowhere is neither a run folder nor a corpus folder (it does"),
        (["generate", "nowhere"], 1, "nowhere is not a run folder (there is no such folder)"),
        (["prepare", "text", "nowhere"], 4, "nowhere does not exist"),
        (["prepare", "text", "--codec-option", "x"], 2, "must be NAME=VALUE, found 'x'"),
        (["prepare", "music", "--codec-option", "form=gird"], 2, "one of 'held', 'grid'"),
        (
            ["prepare", "text", "--seed", "-1"],
            2,
            "--seed must be from 0 to 9,223,372,036,854,775,807",
        ),
        (["prepare", "text", "--jobs", "0"], 2, "--jobs must be -1, or from 1 to 1,024, found 0"),
    ],
)
def test_mistakes_are_answered(seqgen_command, arguments, status, message) -> None:
    got, _, err = seqgen_command(*arguments)
    assert got == status, err
    assert message in unboxed(err)


def test_an_unknown_setting_in_a_file_is_answered(seqgen_command, tmp_path: Path) -> None:
    config = tmp_path / "typo.toml"
    config.write_text("[train]\nhiden = 24\n")
    status, _, err = seqgen_command("--config", config, "train", "text")
    assert status == 2 and "[train]: unknown option 'hiden'; did you mean 'hidden'?" in err


def test_a_folder_of_bad_and_good_music(seqgen_command, tmp_path: Path) -> None:
    from music21 import corpus

    good = (Path(corpus.__file__).parent / "bach" / "bwv10.7.mxl").read_bytes()
    (tmp_path / "good.mxl").write_bytes(good)
    (tmp_path / "cut.mid").write_bytes(b"MThd\x00\x00\x00\x06\x00\x01\x00\x02\x01\xe0MTrk\x00\x00")
    (tmp_path / "empty.mid").write_bytes(b"")
    (tmp_path / "text.mid").write_text("Dear diary, today I wrote a MIDI file.")
    (tmp_path / "nothing").mkdir()
    status, _, err = seqgen_command("prepare", "music", tmp_path, "--out", tmp_path / "c")
    assert status == 0 and "1 pieces" in err and "left out 3 sources" in err
    for name in ("cut.mid: not a readable", "empty.mid: the file is empty", "text.mid: not a"):
        assert name in err
    (tmp_path / "good.mxl").unlink()
    status, _, err = seqgen_command("prepare", "music", tmp_path, "--out", tmp_path / "d")
    assert status == 4 and "cut.mid" in err
    status, _, err = seqgen_command("prepare", "music", tmp_path / "nothing")
    assert status == 4 and "no file for the domain 'music'" in err and ".mid" in err


@pytest.mark.slow
def test_ctrl_c_saves_the_model(verses: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = [sys.executable, "-m", "seqgen", "train", "text", str(verses), "--out", str(run)]
    process = subprocess.Popen(
        [*command, "--epochs", "100000", "--hidden", "16"], stderr=subprocess.PIPE, text=True
    )
    metrics = run / "metrics.jsonl"
    deadline = time.monotonic() + 180
    while not (metrics.exists() and metrics.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert f"the best model is in {run}" in err
    assert [new.piece for new in seqgen.generate(seqgen.load(run, "cpu"), 1)]


@pytest.mark.slow
@pytest.mark.parametrize(("domain", "suffix"), [("text", ".txt"), ("music", ".mid")])
def test_the_demo_writes_pieces_and_a_page(
    seqgen_command, domain, suffix, tmp_path: Path, monkeypatch
) -> None:
    from seqgen_music.domain import MusicDomain

    few = MusicDomain().demo(tmp_path)[:12]
    monkeypatch.setattr(MusicDomain, "demo", lambda self, folder: few)
    out = tmp_path / "out"
    status, printed, _ = seqgen_command("demo", domain, "--minutes", 0.1, "--out", out)
    assert status == 0
    files = sorted((out / "samples" / "1").glob(f"*{suffix}"))
    assert len(files) == 4
    assert all(str(path) in printed for path in [*files, out / "index.html"])
    page = (out / "index.html").read_text().replace("http://www.w3.org/2000/svg", "")
    assert page.count("<figure") == 4 and "https://" not in page and "http://" not in page


def test_a_single_text_is_shown_while_it_is_written(
    seqgen_command, trained: Path, monkeypatch
) -> None:
    shown = []
    monkeypatch.setattr("seqgen.cli.generate.show", lambda text, **_: shown.append(text))
    status, _, _ = seqgen_command("generate", trained, "--length", 100, "--ban", "<end>")
    written = (trained / "samples" / "1" / "text-1.txt").read_text()
    assert status == 0 and len(shown) > 4
    assert "".join(shown[:-2]) == written


def test_a_prompt_may_be_typed_piped_or_adapted(seqgen_command, trained: Path, monkeypatch) -> None:
    def generate(*arguments: object) -> tuple[int, str, str]:
        return seqgen_command("generate", trained, "--length", 30, *arguments)

    assert generate("--prompt", "one green ")[1].startswith("one green ")
    monkeypatch.setattr("sys.stdin", io.StringIO("one green"))
    assert generate("--prompt", "-")[1].startswith("one green")
    status, _, err = generate("--prompt", "óne")
    assert status == 4 and "character 'ó' at position 1" in err and "--unknown" in err
    assert generate("--prompt", "óne", "--unknown", "nearest")[1].startswith("one")
    assert generate("--prompt", "óne", "--unknown", "skip")[1].startswith("ne")
    status, out, _ = generate("--prompt", "one green ", "--without-prompt", "--json")
    [path] = [Path(trained, "samples", "5", name) for name in json.loads(out)["pieces"][0]["files"]]
    assert status == 0 and len(path.read_text()) <= 30


def test_what_may_not_be_typed_or_given_is_told(seqgen_command, chorales, trained: Path) -> None:
    status, _, err = seqgen_command("generate", chorales.folder, "--prompt", "C4 D4")
    assert status == 4 and "come from files and cannot be typed" in err
    status, _, err = seqgen_command("generate", trained, "--given", "a melody")
    assert status == 4 and "follows nothing; leave out --given" in err


def test_generate_says_that_a_grammar_ended_a_piece_early(
    seqgen_command, trained: Path, monkeypatch
) -> None:
    class Ending(Tracker):
        """Allows nothing but END."""

        def features(self) -> tuple[int, ...]:
            return ()

        def allowed(self) -> None:
            return None

        def forced(self) -> int:
            return len(seqgen.load(trained).codec.vocab)

        def push(self, token: int) -> None:
            pass

    arguments = ("generate", trained, "--least-length", 20, "-n", 2, "--length", 30)
    status, _, err = seqgen_command(*arguments)
    assert status == 0 and "grammar" not in err
    monkeypatch.setattr(
        "seqgen_text.codecs.characters.CharacterCodec.tracker",
        lambda self, condition=None: Ending(),
        raising=False,
    )
    status, _, err = seqgen_command(*arguments)
    assert status == 0 and "2 of 2 pieces ended before the least length" in err


def test_a_stop_text_ends_the_piece(seqgen_command, trained: Path) -> None:
    arguments = ("generate", trained, "--stop", "e", "--ban", "<end>", "--length", 500, "--json")
    [entry] = json.loads(seqgen_command(*arguments)[1])["pieces"]
    text = (trained / "samples" / "1" / entry["files"][0]).read_text()
    assert entry["stopped_by"] == "stop" and text.find("e") == len(text) - 1


def test_pieces_are_ranked_and_compared(seqgen_command, trained: Path) -> None:
    arguments = ("generate", trained, "-n", 6, "--length", 60, "--rank", "--novelty", "--json")
    manifest = json.loads(seqgen_command(*arguments)[1])
    likelihoods = [entry["log_probability_per_token"] for entry in manifest["pieces"]]
    assert likelihoods == sorted(likelihoods, reverse=True)
    assert sorted(entry["index"] for entry in manifest["pieces"]) == list(range(6))
    for entry in manifest["pieces"]:
        assert entry["novelty"]["longest"] > 0 and entry["novelty"]["source"].endswith(".txt")
        assert entry["seconds"] >= 0
    used = {name: manifest["settings"][name] for name in ("temperature", "min_p", "seed")}
    assert used == {"temperature": 0.8, "min_p": 0.0, "seed": 0}
    _, out, _ = seqgen_command(*arguments[:-1], "--seed", 1)
    assert len(re.findall(r"^text-\d\.txt: copied at most \d+ tokens?, from line", out, re.M)) == 6


def test_a_corpus_that_is_gone_cannot_be_compared(seqgen_command, trained: Path) -> None:
    info = json.loads((trained / "run.json").read_text())
    info["corpus"] |= {"folder": "/nowhere", "key": "0" * 64}
    (trained / "run.json").write_text(json.dumps(info))
    status, _, err = seqgen_command("generate", trained, "--novelty")
    assert status == 4 and "is not found: nowhere" in err and "--corpus FOLDER" in err


def test_a_network_that_n_grams_beat_is_told_when_it_writes(seqgen_command, trained: Path) -> None:
    info, said = json.loads((trained / "run.json").read_text()), []
    for loss, uniform in ((9.0, 0.5), (0.5, 9.0), (9.0, 9.0)):
        info["baseline"] |= {"valid_loss": loss, "uniform": uniform}
        info["result"]["valid_loss"] = 1.0
        (trained / "run.json").write_text(json.dumps(info))
        status, _, err = seqgen_command("generate", trained, "--length", 5)
        assert status == 0
        said.append("better than this network: train longer" in " ".join(err.split()))
    assert said == [True, True, False]


def test_a_beam_draws_nothing(seqgen_command, trained: Path) -> None:
    arguments = ("generate", trained, "--beam", 4, "-n", 2, "--length", 20, "--json")
    one, two = (json.loads(seqgen_command(*arguments, "--seed", seed)[1]) for seed in (0, 1))
    keys = ("tokens", "stopped_by", "log_probability")
    values = [[[entry[key] for key in keys] for entry in made["pieces"]] for made in (one, two)]
    assert values[0] == values[1] and len(values[0]) == 2
    status, _, err = seqgen_command(*arguments, "--candidates", 4)
    assert status == 2 and "a beam search does not sample; leave out the sampling options" in err
    assert not {"temperature", "min_p", "seed", "candidates", "batch_size"} & one["settings"].keys()


def test_score_says_what_training_said(seqgen_command, verses: Path, tmp_path: Path) -> None:
    """Of the held-out end of a long text, too, and to the last digit that is printed."""
    text = "\n".join(path.read_text() for path in sorted(verses.iterdir()))
    (tmp_path / "a.txt").write_text(text * 8)
    arguments = ("--out", tmp_path / "run", "--tokens", 3000, "--hidden", 16, "--device", "cpu")
    status, _, err = seqgen_command("train", "text", tmp_path / "a.txt", *arguments)
    assert status == 0
    [trained] = re.findall(r"best validation loss ([0-9.]+) nats per token, on ([0-9,]+) of", err)
    status, out, _ = seqgen_command(
        "score", tmp_path / "run", "--split", "valid", "--device", "cpu", "--json"
    )
    total = json.loads(out)["total"]
    assert f"{total['tokens'] + total['ends']:,}" == trained[1]
    nats = total["nats"]["network"] + total["end_nats"]["network"]
    assert f"{nats / (total['tokens'] + total['ends']):.4f}" == trained[0]
    baseline = (total["nats"]["baseline"] + total["end_nats"]["baseline"]) / total["tokens"]
    order = json.loads(out)["order"]
    assert f"to beat: {order}-grams, {baseline:.4f} nats per token" in err


def test_info_of_another_folder_says_what_is_missing(seqgen_command, verses: Path) -> None:
    status, _, err = seqgen_command("info", verses)
    assert status == 1 and "Errno" not in err
    assert (
        "neither a run folder nor a corpus folder (it has no corpus.json or run.json)"
        in unboxed(err)
    )


@pytest.mark.parametrize("beam", [0, 3])
def test_python_writes_what_the_command_writes(
    seqgen_command, trained: Path, tmp_path: Path, beam: int
) -> None:
    options = ("-n", 3, "--length", 40, "--prompt", "9 ", "--without-prompt", "--beam", beam)
    options += ("--rank", "--novelty", "--format", "txt", "--seed", 0 if beam else 7)
    status, _, _ = seqgen_command("generate", trained, *options, "--out", tmp_path / "one")
    run = seqgen.load(trained)
    limit = seqgen.LimitConfig(length=40)
    samples = seqgen.generate_samples(
        *(run, 3, tmp_path / "two", "txt"),
        beam=beam,
        rank=True,
        compare=run.corpus(),
        prompt="9 ",
        with_prompt=False,
        limit=limit,
        seed=0 if beam else 7,
    )
    by_command = json.loads((tmp_path / "one" / "manifest.json").read_text())
    by_python = json.loads((tmp_path / "two" / "manifest.json").read_text())
    assert status == 0 and by_python == json.loads(json.dumps(samples.manifest))
    typed = ("prompt", "prompt_tokens", "adapt", "given", "keep", "stop", "mended")
    typed += ("read_options",)
    for name in typed:
        del by_command["settings"][name]
    for manifest in (by_command, by_python):
        for timed in (manifest, *manifest["pieces"]):
            del timed["seconds"]
    assert by_command == by_python
    for path in samples.paths:
        assert path.read_bytes() == (tmp_path / "one" / path.name).read_bytes()
