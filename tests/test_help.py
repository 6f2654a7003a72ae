"""Help, completion, and how the command fails."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import seqgen
from seqgen.cli import COMMANDS, app
from seqgen.cli.completion import STARTUP
from seqgen.cli.failures import failure
from seqgen.cli.help import MOST_USED
from seqgen.cli.settings import options_of


def options_in(text: str) -> set[str]:
    """Return the options at the beginning of lines of a help."""
    return set(re.findall(r"^│\s+(?:\*\s+)?(?:[A-Z]+ )?(--[a-z0-9-]+)", text, re.MULTILINE))


@pytest.mark.parametrize("name", MOST_USED)
def test_help_is_short_and_names_the_way_to_all_options(seqgen_command, name: str) -> None:
    short = seqgen_command(name, "--help")[1]
    assert len(MOST_USED[name]) <= 10
    assert options_in(short) - {"--run", "--domain"} == set(MOST_USED[name])
    assert f"seqgen {name} --help-all lists all options." in short
    assert seqgen_command("help", name)[1] == short
    everything = seqgen_command(name, "--help-all")[1]
    options = {f"--{each}" for each in options_of(app, name) if len(each) > 1}
    negative = {each for each in options if each.startswith(("--no-", "--empty-"))}
    assert options - negative <= options_in(everything) | {"--PATHS"}
    assert "--config" in options_in(everything) and "--config" not in options_in(short)


def test_the_help_lists_the_commands_in_order_of_use(seqgen_command) -> None:
    out = seqgen_command("--help")[1]
    listed = re.findall(r"^│ ([a-z]+)  ", out, re.MULTILINE)
    assert listed == [*COMMANDS, "plugins"]
    assert seqgen_command("help")[1] == out


@pytest.mark.parametrize(
    ("name", "usage"),
    [
        ("train", "train [OPTIONS] DOMAIN [PATHS...]"),
        ("compare", "compare [OPTIONS] RUN [SAMPLES]"),
        ("domains", "domains [OPTIONS] [DOMAIN]"),
    ],
)
def test_the_usage_names_the_arguments(seqgen_command, name: str, usage: str) -> None:
    assert f"Usage: seqgen {usage}\n" in seqgen_command(name, "--help")[1]


def test_the_version_has_a_short_option(seqgen_command) -> None:
    assert seqgen_command("-V") == (0, f"seqgen {seqgen.__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["help", "trian"], "there is no command 'trian'; did you mean 'train'?"),
        (["--confg", "x.toml", "train"], "there is no option --confg; did you mean --config?"),
        (["plugins", "chekc"], "plugins has no command 'chekc'; did you mean 'check'?"),
        (["generate"], "RUN is missing; seqgen generate --help says what it is"),
        (["train", "text", "--minutes"], "--minutes needs a value; seqgen train --help-all"),
        (["generate", "x", "--length", "ten"], "--length must be a number, found 'ten'"),
        (["generate", "x", "y"], "generate has no place for 'y'; put a text of several words"),
        (
            ["generate", "x", "--unknown", "skp"],
            "--unknown must be error, skip or nearest, found 'skp'; did you mean 'skip'?",
        ),
        (["generate", "x", "--zzz"], "generate has no option --zzz; seqgen generate --help-all"),
    ],
)
def test_wrong_usage_is_one_line_with_a_way_out(seqgen_command, arguments, message) -> None:
    status, out, err = seqgen_command(*arguments)
    assert (status, out) == (2, "") and err.startswith(f"seqgen: {message}")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "place", "hint"),
    [
        (["generate", "x", "--lenth", "3"], "--lenth", "did you mean --length?"),
        (["generate", "nowhere"], "nowhere", "make one with seqgen train"),
        (["prepare", "text", "nowhere.txt"], "nowhere.txt", None),
        (["train", "musik"], "musik", "did you mean 'music'?"),
        (["train", "text", "--device", "gpu"], "gpu", "choose cpu, cuda, mps or auto"),
    ],
)
def test_a_failure_is_json_if_the_result_would_be(
    seqgen_command, arguments, place: str, hint: str | None
) -> None:
    status, out, err = seqgen_command(*arguments, "--json")
    found = json.loads(out)
    assert status == found.pop("exit_status") != 0
    assert found == {"error": err.removeprefix("seqgen: ").rstrip("\n"), "place": place} | {
        "hint": hint
    }


def test_the_place_of_a_failure_is_what_the_message_names_first() -> None:
    tokens = ["score", "runs/a", "x/b.txt", "--top-p", "2"]
    assert failure("x/b.txt: no text of runs/a", 4, tokens)["place"] == "x/b.txt"
    assert failure("--top-p must be from 0 to 1, found 2", 2, tokens)["place"] == "--top-p"
    assert failure("c.mid: no notes", 4, tokens)["place"] == "c.mid"
    assert failure("there is no more room", 1, tokens)["place"] is None
    assert failure("No space left", 1, tokens, "/tmp/z")["place"] == "/tmp/z"


@pytest.fixture
def home(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    for name in ("ZSH", "ZSH_CUSTOM"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_says_what_it_writes_and_keeps_other_lines(
    seqgen_command, home: Path, shell: str
) -> None:
    startup = home / STARTUP.get(shell, "unused")
    startup.write_text("export MINE=1\n")
    outs = []
    for _ in range(2):
        status, out, err = seqgen_command("--install-completion", "--shell", shell)
        assert (status, err) == (0, "")
        outs.append(out)
    written = Path(outs[0].splitlines()[0].removeprefix("wrote "))
    assert written.is_relative_to(home) and "--least-length" in written.read_text()
    lines = startup.read_text().splitlines()
    assert "export MINE=1" in lines and len(lines) == (1 if shell == "fish" else 3)
    if shell != "fish":
        assert f"added a line to {startup}" in outs[0]
        assert f"{startup} needs no new line" in outs[1]
    written.write_text("# of another program\n")
    status, _, err = seqgen_command("--install-completion", "--shell", shell)
    assert status == 1 and f"{written} is not from seqgen; move it away" in err
    assert written.read_text() == "# of another program\n"


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
def test_bash_completes_commands_options_and_choices(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(app.generate_completion(shell="bash"))
    asked = [["gen"], ["generate", "--least"], ["generate", "--unknown", "ne"], ["plugins", "ch"]]
    code = f". {script}\n" + "\n".join(
        f"COMP_WORDS=(seqgen {' '.join(words)}); COMP_CWORD={len(words)}; COMPREPLY=(); _seqgen; "
        f'echo "${{COMPREPLY[*]}}"'
        for words in asked
    )
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["generate", "--least-length", "nearest", "check"]


def test_info_is_a_table_in_a_terminal(seqgen_command, run, monkeypatch) -> None:
    import sys

    piped = seqgen_command("info", run.folder)[1]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "70")
    shown = seqgen_command("info", run.folder)[1]
    assert "| codec | characters of" in piped and "\x1b" not in piped
    assert "A text model" in shown and "│ characters of" in shown and "|---|" not in shown
    # Codes of colours, which are not shown as symbols.
    assert "\N{SYMBOL FOR ESCAPE}" not in shown
