"""Options from a file: what no command knows is refused, with what was probably meant."""

import json
from pathlib import Path

import pytest

from seqgen.cli import COMMANDS, app
from seqgen.cli.settings import options_of


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "[trian]\nminutes = 3",
            "there is no command for the table [trian]; did you mean 'train'?",
        ),
        ("[weather]\nrain = 3", "the table [weather]; known are demo, prepare, train"),
        (
            "minutes = 3\n[train]",
            "'minutes' is outside a table; put options under [demo] or [train]",
        ),
        ("min_p = 0.1", "'min_p' is outside a table; put options under [generate]"),
        ("weather = 3", "'weather' is outside a table; put options under [train]"),
        ("train = 5", "'train' must be a table of options, found 5"),
        ("[[train]]\nhidden = 3", "'train' must be a table of options"),
        ("[train]\nhiden = 3", "[train]: unknown option 'hiden'; did you mean 'hidden'?"),
        (
            "[generate]\ntemprature = 1",
            "[generate]: unknown option 'temprature'; did you mean 'temp",
        ),
        ("[train.model]\nhidden = 3", "[train]: unknown option 'model'"),
        ("[train.hidden]\nlayer = 3", "[train]: hidden must be a value, found a table"),
        (
            "[train]\nhidden = 3\nhidden = 4\n",
            "is not valid TOML: Cannot overwrite a value (at line 3",
        ),
        ("[train]\nhidden =", "is not valid TOML: Invalid value (at "),
        ("a = " + "[" * 2000, "is not valid TOML"),
        (
            "[train]\nseed = 18446744073709551616",
            "seed must be from 0 to 9,223,372,036,854,775,807",
        ),
        (
            "[train]\nminutes = nan",
            "settings.toml: --minutes must be 0, or from 0.001 to 1,000,000, found nan",
        ),
        ("[train]\nhidden = 2.5", "--hidden must be a whole number (from 0 to 16,384), found 2.5"),
        ("[train.codec-option]\nrarest = -1", "rarest must be from 0"),
        ("[train.codec_option]\nrarst = 1", "unknown setting 'rarst'; did you mean 'rarest'?"),
    ],
)
def test_a_mistake_in_a_file_is_answered(
    seqgen_command, tmp_path: Path, content: str, message: str
) -> None:
    config = tmp_path / "settings.toml"
    config.write_text(content)
    status, _, err = seqgen_command("--config", config, "train", "text", tmp_path)
    assert status == 2 and message in err


@pytest.mark.parametrize("value", ["2.5", "-0.9", "nan", "1.0"])
def test_a_fraction_is_no_whole_number(seqgen_command, tmp_path: Path, value: str) -> None:
    status, _, err = seqgen_command("prepare", "text", tmp_path, "--seed", value)
    assert status == 2 and "--seed" in err and value in err


@pytest.mark.parametrize("name", ["folder", "missing.toml", "latin.toml"])
def test_a_file_that_cannot_be_read_is_answered(seqgen_command, tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "latin.toml").write_bytes(b"[train]\n# caf\xe9\n")
    status, _, err = seqgen_command("--config", tmp_path / name, "train", "text")
    assert status == 2 and name in err and "Traceback" not in err
    assert "cannot read" in err or "line 2 is not UTF-8" in err


def test_options_of_codecs_may_be_a_table(seqgen_command, verses: Path, tmp_path: Path) -> None:
    config = tmp_path / "settings.toml"
    # As an editor of Windows writes it.
    config.write_text("[prepare.codec-option]\nrarest = 2\nboundary = 'line'\n", "utf-8-sig")
    arguments = ("--config", config, "prepare", "text", verses, "--out", tmp_path / "c", "--json")
    status, out, _ = seqgen_command(*arguments)
    assert status == 0
    options = json.loads(out)["codec"]["options"]
    assert options | {"rarest": 2, "boundary": "line"} == options


def test_every_command_has_options_by_their_plain_names() -> None:
    options = {command: options_of(app, command) for command in COMMANDS}
    assert {"from", "hidden", "codec-option", "min-p"} <= {*options["train"], *options["generate"]}
    talking = ("demo", "write", "serve")
    assert all("json" in names for command, names in options.items() if command not in talking)
