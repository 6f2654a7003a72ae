"""What a command cannot do it refuses at once, before it reads, counts, trains or draws."""

from pathlib import Path

import pytest

import seqgen


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything that takes its time fail."""

    def fails(*arguments: object, **options: object) -> None:
        raise AssertionError("work began before the arguments were checked")

    for name in (
        *("seqgen.cli.train.prepare_corpus", "seqgen.cli.demo.prepare_corpus"),
        *(
            "seqgen.cli.prepare.prepare_corpus",
            "seqgen.evaluation.table.baseline",
            "seqgen.evaluation.adaptive.adapt",
        ),
        *(
            "seqgen.report.samples.generate",
            "seqgen.report.samples.search",
            "seqgen.training.autopilot.plan",
        ),
        *("seqgen.report.reading_back.read_samples", "seqgen.evaluation.table.score_spans"),
    ):
        monkeypatch.setattr(name, fails)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (
            ["generate", "RUN", "-o", "a/gen.txt"],
            2,
            "--out takes the name of a folder, found the file",
        ),
        (["generate", "RUN", "-o", "gen.mid"], 2, "found the file name gen.mid"),
        (["train", "text", "--out", "model.txt"], 2, "found the file name model.txt"),
        (["demo", "music", "--out", "Tune.MID"], 2, "found the file name Tune.MID"),
        (["prepare", "text", "--out", "book.txt"], 2, "files to read go before --out"),
        (["generate", "RUN", "-o", "RUN"], 1, "was not made by this command"),
        (["train", "text", "--out", "RUN"], 1, "or pass --overwrite"),
        (["demo", "text", "--out", "RUN"], 1, "or pass --overwrite"),
        (["train", "text", "--from", "nowhere"], 1, "nowhere is not a run folder"),
        (["train", "text", "--device", "abacus"], 1, "no device 'abacus' here"),
        (["generate", "RUN", "--format", "mid"], 2, "text is written as .txt, not .mid"),
        (
            ["generate", "RUN", "--prompt", "7 ", "--adapt", "--unit", "bars", "--stop", "ŋ"],
            4,
            "'ŋ'",
        ),
        (["generate", "RUN", "--adapt"], 2, "--adapt needs a prompt"),
        (["score", "RUN", "missing.txt"], 4, "missing.txt does not exist"),
        (["score", "RUN", "RUN"], 4, "was written by seqgen itself"),
        (["score", "RUN", "FILE", "--split", "test"], 2, "--split is for a corpus"),
        (["info", "RUN", "--plot", "no/loss.svg"], 1, "the folder no does not exist"),
        (["info", "RUN", "--plot", "loss.gif"], 2, "--plot writes .png or .svg, found loss.gif"),
        (["info", "RUN", "--plot", "folder.svg"], 1, "folder.svg is a folder"),
    ],
)
def test_impossible_arguments_are_refused_before_any_work(
    seqgen_command,
    idle,
    run: seqgen.Run,
    verses: Path,
    tmp_path: Path,
    monkeypatch,
    arguments,
    status,
    message,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder.svg").mkdir()
    places = {"RUN": run.folder, "FILE": verses / "03.txt"}
    got, _, err = seqgen_command(*(places.get(each, each) for each in arguments))
    assert (got, message in err) == (status, True), err
    assert [path.name for path in tmp_path.iterdir()] == ["folder.svg"], "nothing is made"


def test_a_corpus_that_is_gone_is_told_before_a_prompt_is_learned(
    seqgen_command, idle, run: seqgen.Run, monkeypatch
) -> None:
    from seqgen.errors import CorpusError

    def gone(self: seqgen.Run) -> None:
        raise CorpusError("the corpus is gone")

    monkeypatch.setattr(seqgen.Run, "corpus", gone)
    for arguments in (
        ("generate", run.folder, "--prompt", "7 green", "--adapt", "--novelty"),
        ("compare", run.folder, run.folder),
        ("score", run.folder),
    ):
        status, _, err = seqgen_command(*arguments)
        assert status == 4 and "the corpus is gone" in err
