"""What README and docs show is run: commands, Python, and the plugin of the tutorial."""

import bz2
import io
import json
import re
import shlex
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import pytest

import seqgen
from seqgen.cli import app, run
from seqgen.errors import DataError

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

#: Training time in the place of what the page says.
MINUTES = "0.02"


def blocks(page: Path, kind: str) -> list[str]:
    return [code for language, code in BLOCK.findall(page.read_text()) if language == kind]


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch, verses: Path) -> Path:
    """A folder with the files that the pages speak of, and demos of a few files."""
    from seqgen_handwriting import demo
    from seqgen_handwriting.domain import Handwriting
    from seqgen_handwriting.files.json_files import as_json
    from seqgen_music.domain import MusicDomain
    from seqgen_speech.domain import Speech
    from seqgen_speech.sound import Sound
    from seqgen_text.domain import Text

    chorales = [path for path in MusicDomain().demo(tmp_path) if path.stem.startswith("bwv1")][:8]
    texts = list(Text().demo(tmp_path / "demo"))[:8]
    monkeypatch.setattr(MusicDomain, "demo", lambda self, folder: chorales)
    monkeypatch.setattr(Text, "demo", lambda self, folder: texts)
    monkeypatch.setattr(demo, "PAGES", 3)
    # Five sentences in each voice, so that the speaker is a label.
    monkeypatch.setattr("seqgen_speech.demo.SENTENCES", 30)
    monkeypatch.setattr("seqgen_speech.domain.PROBES", 2)
    monkeypatch.setattr("seqgen_speech.measures.metrics.MOST_RATED", 1)
    monkeypatch.setattr("seqgen_speech.codecs.mulaw.LONGEST", 0.05)
    monkeypatch.chdir(tmp_path)
    demo.write_pages(Path("my-ink"))
    [*lines] = Handwriting().read(Path("my-ink/page-001.json"))
    Handwriting().write(lines[0], Path("sample.svg"))
    Path("quickdraw").mkdir()
    for word, sides in (("cat", 9), ("house", 4)):
        turns = np.linspace(0, 2 * np.pi, sides + 1)
        rows = [(np.stack([np.cos(turns), np.sin(turns)]) * (40 + n)).tolist() for n in range(20)]
        drawn = [json.dumps({"word": word, "drawing": [row, row]}) for row in rows]
        Path(f"quickdraw/{word}.ndjson").write_text("\n".join(drawn))
    wall = '<path fill="none" stroke="red" d="M0 0V900H1200V0Z"/>'
    Path("begun.svg").write_text(f'<svg xmlns="http://www.w3.org/2000/svg">{wall}</svg>')
    unmarked = ",".join(as_json(replace(line, letters=None)) for line in lines)
    Path("my-lines.json").write_text(f"[{unmarked}]")
    for number in range(8):
        samples = np.sin(np.arange(4000) / (3 + number)).astype(np.float32) / 2
        sound = Sound(samples, 8000, "hold the line")
        Speech().write(sound, Path(f"my-recordings/{number}_{('anna', 'ben')[number % 2]}_1.wav"))
    Path("book.txt").write_text("".join(path.read_text() for path in sorted(verses.iterdir())))
    text = "==History==\n'''Bottles''' are [[glass|green]].\n\n" * 3
    pages = (
        f"<page><title>Bottle {number}</title><ns>0</ns><id>{number}</id>"
        f"<revision><text>{text}</text></revision></page>\n"
        for number in range(12)
    )
    dump = f"<mediawiki>\n{''.join(pages)}</mediawiki>\n"
    Path("wiki.xml.bz2").write_bytes(bz2.compress(dump.encode()))
    Path("shakespeare.txt").write_text("ROMEO:\nBe green, bottle.\n\nJULIET:\nFall!\n\n" * 30)
    for name, text in (
        ("papers/{}.tex", "\\begin{{lemma}}\nBottle {} falls.\n\\end{{lemma}}\n"),
        ("code/{}.c", "static int fall{}(int n)\n{{\n    return n - 1;\n}}\n"),
    ):
        for number in range(12):
            path = Path(name.format(number))
            path.parent.mkdir(exist_ok=True)
            path.write_text(text.format(number) * 3)
    Path("big.toml").write_text(blocks(ROOT / "docs" / "command.md", "toml")[0])
    rows = [
        f"{n} cats,{'pets' if n % 2 else 'news'},{('train', 'dev')[n % 5 == 0]}" for n in range(30)
    ]
    Path("headlines.csv").write_text("\n".join(["title,site,part", *rows]))
    Path("opening.txt").write_text("9 green bottles")
    shutil.copy(ROOT / "examples" / "ode-to-joy.abc", ".")
    shutil.copytree(verses, "my-texts")
    for number, part in enumerate(("train", "train", "valid", "test")):
        Path("my-parts", part).mkdir(parents=True, exist_ok=True)
        Path("my-parts", part, f"{number}.txt").write_text(f"{number} green bottles")
    Path("my-chorales").mkdir()
    for chorale in chorales:
        shutil.copy(chorale, "my-chorales")
    [piece] = MusicDomain().read(chorales[0])
    MusicDomain().write(piece, Path("my-chorales/one.mid"))
    return tmp_path


RUNNABLE = [
    page
    for page in PAGES
    if page.stem not in ("writing-a-plugin", "plugin-chess", "one-file")
    and (blocks(page, "console") or blocks(page, "python"))
]


def test_the_pages_that_show_commands_are_known() -> None:
    names = {page.stem for page in RUNNABLE}
    assert names == {
        *(
            "README",
            "architectures",
            "command",
            "export",
            "framings",
            "handwriting",
            "listeners",
            "music",
            "sampling",
            "scaling",
            "scoring",
            "speech",
            "text",
            "training",
            "tutorial",
        )
    }


@pytest.mark.slow
@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: page.stem)
def test_what_a_page_shows_works(page: Path, workplace: Path, capsys) -> None:
    for code in blocks(page, "console"):
        for line in code.splitlines():
            assert re.match(r"\$ (echo [^|]+ \| )?seqgen ", line), line
            run_command(line.removeprefix("$ "))
    namespace: dict[str, object] = {}
    for code in blocks(page, "python"):
        short = re.sub(r"minutes=[\d.]+", f"minutes={MINUTES}", code)
        exec(compile(short, str(page), "exec"), namespace)


def run_command(command: str) -> None:
    words = shlex.split(command)
    arguments = words[words.index("seqgen") + 1 :]
    # Without a pipe standard input is empty.
    piped = f"{words[1]}\n" if words[0] == "echo" else ""
    if "--minutes" in arguments:
        arguments[arguments.index("--minutes") + 1] = MINUTES
    elif {"demo", "train"} & set(arguments):
        arguments += ["--minutes", MINUTES]
    before, sys.stdin = sys.stdin, io.StringIO(piped)
    try:
        run(arguments)
    except SystemExit as error:
        assert not error.code, command
    finally:
        app.config = ()
        sys.stdin = before


def test_the_readme_shows_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text()
    assert "python -m pip install -r examples/requirements.txt && seqgen demo music" in readme
    assert "python -m pip install -r tests/requirements.txt && python -m pytest" in readme
    assert len(readme.splitlines()) <= 100


def test_pages_are_linked_to_files_that_are_there() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_dotted_names_in_docs_and_docstrings_exist() -> None:
    sources = [*(ROOT / "seqgen").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]
    names = {
        name
        for path in [*PAGES, *sources]
        for name in re.findall(r"`(seqgen\w*(?:\.\w+)+)", path.read_text())
    }
    assert len(names) > 50
    for name in names:
        assert resolve_name(name) is not None, name


def test_the_api_page_has_every_public_name() -> None:
    page = (ROOT / "docs" / "api.md").read_text()
    shown = re.findall(r"^\.\. auto(?:function|class):: (?:seqgen\.)?(\w+)$", page, re.MULTILINE)
    assert set(seqgen.__all__) - {"__version__"} <= set(shown)


def test_the_plugin_of_the_tutorial_keeps_the_contract(
    tmp_path: Path, monkeypatch, write_metadata
) -> None:
    from seqgen.conformance import trackers
    from seqgen.conformance.subject import NothingToCheck, subject_of
    from seqgen.testing import PROMISES, check_domain

    page = ROOT / "docs" / "writing-a-plugin.md"
    hook, codec, tracker, domain, _, _ = blocks(page, "python")
    package = tmp_path / "seqgen_walk"
    package.mkdir()
    (package / "__init__.py").write_text(hook)
    (package / "domain.py").write_text(f"{codec}\n{domain}")
    write_metadata(tmp_path, "seqgen-walk", {"walk": "seqgen_walk"})
    monkeypatch.syspath_prepend(str(tmp_path))
    # The kit has twenty-two promises about what walks do not have, such as boundaries and a critic.
    assert check_domain("walk", tmp_path / "checks") == len(PROMISES) - 23
    walks = vars(sys.modules["seqgen_walk.domain"])
    exec(tracker, walks)
    made = walks["WalkTracker"]
    monkeypatch.setattr(walks["WalkCodec"], "tracker", lambda self, condition=None: made())
    unchecked = []
    for promise in trackers.PROMISES:
        try:
            promise(subject_of("walk", "steps"), tmp_path)
        except NothingToCheck:
            unchecked.append(promise.__name__)
    # Walks have no requests, may end anywhere, and are followed in Python.
    of_requests = ["follows_requests", "refuses_requests"]
    assert unchecked == ["ends_within_a_limit", "follows_as_it_tracks", *of_requests]
    for name in ("seqgen_walk", "seqgen_walk.domain"):
        sys.modules.pop(name)


def test_the_plugin_in_one_file_does_what_its_page_shows(tmp_path: Path, monkeypatch) -> None:
    from seqgen.plugins import discovery
    from seqgen.plugins import files as plugin_files

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(discovery, "_offered", {})
    monkeypatch.setattr(plugin_files, "_files", {})
    page = ROOT / "docs" / "one-file.md"
    [code] = blocks(page, "python")
    assert len(code.splitlines()) < 60
    Path("dna.py").write_text(code)
    [commands] = blocks(page, "console")
    for line in commands.splitlines():
        run_command(line.removeprefix("$ "))
    [written] = [path for path in Path("dna-run/samples/1").iterdir() if path.stem == "dna-1"]
    assert written.read_text().startswith(">generated")


@pytest.mark.slow
def test_the_example_of_framings_runs(workplace: Path, monkeypatch, capsys) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    module = __import__("framings")
    module.main(0.02, workplace / "out", [workplace / "book.txt"], "9 green")
    sys.modules.pop("framings")
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")][1:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [row[0] for row in cells] == list(module.RUNS)
    for name, own, carried, speed, line in cells:
        assert own == carried or not name.startswith("carried"), name
        assert float(speed.replace(",", "")) > 0 and line.startswith("9 green")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["chorales", "text"])
def test_examples_run(name: str, workplace: Path, monkeypatch, capsys) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    module = __import__(name)
    monkeypatch.setattr("seqgen.generation.limits.LONGEST_PIECE", 100)
    module.main(0.05, workplace / "out")
    assert seqgen.load(workplace / "out", "cpu").info["result"]["step"] > 0
    sys.modules.pop(name)


@pytest.mark.slow
def test_the_example_of_speech_runs(workplace: Path, monkeypatch, capsys) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    module = __import__("say")
    recordings, out = Path("my-recordings"), workplace / "out"
    (recordings / "broken.wav").write_bytes(b"RIFF")
    # What cannot be said is refused before the training.
    with pytest.raises(DataError, match="does not know the symbol"):
        module.main(recordings, ["hold the line", "zebra"], 0.02, out)
    assert not out.exists()
    module.main(recordings, ["hold the line"], 0.02, out)
    sys.modules.pop("say")
    shown = capsys.readouterr().out
    assert "left out broken.wav: " in shown
    names = ("sentence-1.wav", "sentence-1.txt", "sentence-1.svg")
    assert all(f"{out / name}\n" in shown and (out / name).exists() for name in names)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "data", "shown"),
    [("words", "book.txt", "perplexity per word: "), ("headlines", "headlines.csv", "pets: ")],
)
def test_examples_that_learn_a_text_run(
    name: str, data: str, shown: str, workplace: Path, monkeypatch, capsys
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    module = __import__(name)
    monkeypatch.setattr("seqgen.generation.limits.LONGEST_PIECE", 100)
    module.main(Path(data), 0.02, workplace / "out")
    sys.modules.pop(name)
    assert f"\n{shown}" in capsys.readouterr().out
