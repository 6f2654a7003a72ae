"""Domains that are not installed: a plugin file, and a class of the program itself."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import seqgen
from seqgen.errors import ChangedPlugin, PluginError
from seqgen.plugins import discovery
from seqgen.plugins import files as plugin_files

CODE = '''
"""DNA in one file."""
import numpy as np
from seqgen.plugin import Codec, Domain, NoOptions

BASES = "ACGT"


class Bases(Codec):
    options_type, vocab = NoOptions, tuple(BASES)

    def __init__(self, options):
        self.options = options

    @classmethod
    def fit(cls, pieces, options):
        return cls(options)

    def encode(self, piece):
        return np.array([BASES.index(base) for base in piece.bases], np.int64)

    def decode(self, ids):
        return Strand("".join(BASES[token] for token in ids))

    def state(self):
        return {}

    @classmethod
    def from_state(cls, state, options):
        return cls(options)


class Strand:
    """A class of the file's own: reader processes send it back."""

    def __init__(self, bases):
        self.bases = bases


class Dna(Domain):
    """DNA, a strand in a file."""

    name, formats, codecs = "dna", (".fa",), {"bases": Bases}

    def read(self, path, options):
        return [Strand(path.read_text().strip())]

    def write(self, piece, path, options):
        path.write_text(piece.bases)
        return [path]

    def preview(self, piece):
        return {"text/plain": piece.bases}

    def demo(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(0)
        for number in range(12):
            bases = "".join(rng.choice(list(BASES), 40))
            (folder / f"{number}.fa").write_text(bases)
        return sorted(folder.glob("*.fa"))
'''


@pytest.fixture(autouse=True)
def nothing_offered(monkeypatch):
    """Every test begins and ends without plugin files."""
    monkeypatch.setattr(discovery, "_offered", {})
    monkeypatch.setattr(plugin_files, "_files", {})


@pytest.fixture
def dna(tmp_path: Path) -> Path:
    path = tmp_path / "my-dna.py"
    path.write_text(CODE)
    return path


def trained(folder: Path, corpus: seqgen.Corpus) -> seqgen.Run:
    model = seqgen.ModelConfig(hidden=8, embedding=4, dropout=0.0)
    config = seqgen.TrainConfig(tokens=300, batch_size=2, window=16, device="cpu")
    run = seqgen.create_run(folder, corpus, model, config)
    for _ in seqgen.train(run, corpus):
        pass
    return run


def test_a_plugin_file_is_a_domain_like_any_other(dna: Path, tmp_path: Path) -> None:
    assert seqgen.load_plugin(dna) == "dna"
    found = {each.name: each for each in seqgen.find_domains()}
    assert found["text"].status == found["dna"].status == "ok"
    assert (found["dna"].summary, found["dna"].suffixes) == ("DNA, a strand in a file.", (".fa",))
    # Six files or more are read by other processes, which load the file too.
    corpus = seqgen.prepare("dna", out=tmp_path / "corpus", jobs=2)
    assert corpus.info["distribution"] == dna.name
    assert corpus.info["version"].startswith("sha256:")
    assert corpus.info["pieces"] == 12 and not corpus.info["skipped"]
    [piece] = seqgen.generate(trained(tmp_path / "run", corpus), 1)
    assert set(piece.piece.bases) <= set("ACGT")


def test_plugin_files_of_one_name_have_demos_of_their_own(dna: Path, tmp_path: Path) -> None:
    seqgen.load_plugin(dna)
    assert seqgen.prepare("dna", out=tmp_path / "first").info["pieces"] == 12
    plugin_files._files.clear()
    discovery._offered.clear()
    other = tmp_path / "other-dna.py"
    other.write_text(dna.read_text().replace("range(12)", "range(20, 30)"))
    seqgen.load_plugin(other)
    assert seqgen.prepare("dna", out=tmp_path / "second").info["pieces"] == 10


def test_a_run_never_loads_its_plugin_file_by_itself(
    dna: Path, tmp_path: Path, monkeypatch, seqgen_command
) -> None:
    corpus_arguments = ("prepare", "dna", "--out", tmp_path / "corpus", "--jobs", "1")
    status, _, err = seqgen_command("--plugin", dna, *corpus_arguments)
    assert status == 0, err
    trained(tmp_path / "run", seqgen.Corpus(tmp_path / "corpus"))
    discovery._offered.clear()
    plugin_files._files.clear()
    generate = ("generate", tmp_path / "run", "--count", "1", "--out", tmp_path / "new")
    status, _, err = seqgen_command(*generate)
    assert status == 3
    assert f"write: seqgen --plugin FOLDER/{dna.name} COMMAND" in err
    status, out, err = seqgen_command("--plugin", dna, *generate)
    assert status == 0, err
    assert Path(out.splitlines()[0]).suffix == ".fa"


def test_a_changed_file_is_used_with_a_warning(dna: Path, tmp_path: Path, seqgen_command) -> None:
    seqgen.load_plugin(dna)
    run = trained(tmp_path / "run", seqgen.prepare("dna", out=tmp_path / "corpus", jobs=1))
    dna.write_text(CODE + "\n# another preview\n")
    out = ("--count", "1", "--out", tmp_path / "new")
    status, _, err = seqgen_command("--plugin", dna, "generate", run.folder, *out)
    assert status == 0 and err.count("was made with") == 1, err
    with pytest.warns(ChangedPlugin, match="prepare and train again"):
        assert seqgen.load(run.folder).domain
    dna.write_text(CODE.replace('BASES = "ACGT"', 'BASES = "ACGU"'))
    seqgen.load_plugin(dna)
    with (
        pytest.warns(ChangedPlugin),
        pytest.raises(PluginError, match="makes another vocabulary"),
    ):
        _ = seqgen.load(run.folder).codec


def test_a_changed_file_makes_another_corpus(dna: Path) -> None:
    seqgen.load_plugin(dna)
    first = seqgen.prepare("dna", jobs=1)
    assert seqgen.prepare("dna", jobs=1).folder == first.folder
    dna.write_text(CODE + "\n# changed\n")
    seqgen.load_plugin(dna)
    assert seqgen.prepare("dna", jobs=1).folder != first.folder


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("def (", "SyntaxError"),
        ("import no_such_library", "No module named 'no_such_library'"),
        ("import sys\nsys.exit(3)", "SystemExit: 3, which would have ended the process at"),
        ("1 / 0", "ZeroDivisionError: division by zero at"),
        ("x = 1", "expected one subclass of seqgen.plugin.Domain, found none"),
        (CODE + "\nclass Rna(Domain): pass", "found Dna, Rna"),
        (CODE.replace('"dna", (".fa",)', '"D N A", (".fa",)'), "a name of one lower-case word"),
        (CODE.replace('"dna", (".fa",)', '"dna", ".fa"'), "Dna needs formats or suffixes"),
    ],
)
def test_a_broken_file_is_refused_with_its_reason(
    code: str, reason: str, dna: Path, seqgen_command
) -> None:
    dna.write_text(code)
    status, _, err = seqgen_command("--plugin", dna, "domains")
    assert status == 3
    assert f"the plugin file {dna} cannot be used (" in err and reason in err


def test_a_subclass_of_a_domain_is_the_one_that_counts(dna: Path) -> None:
    more = "\nclass LongDna(Dna):\n    name = 'long_dna'\n    suffixes = ('.fa', '.fasta')\n"
    dna.write_text(CODE + more)
    assert seqgen.load_plugin(dna) == "long_dna"
    [found] = [each for each in seqgen.find_domains() if each.name == "long_dna"]
    assert found.suffixes == (".fa", ".fasta")


def test_no_code_from_a_folder_of_seqgen_is_run(corpus: seqgen.Corpus, tmp_path: Path) -> None:
    inside = tmp_path / "run" / "code" / "dna.py"
    inside.parent.mkdir(parents=True)
    inside.write_text("raise AssertionError('the code was run')")
    (tmp_path / "run" / "corpus.json").write_text((corpus.folder / "corpus.json").read_text())
    with pytest.raises(PluginError, match="whose code is never run"):
        seqgen.load_plugin(inside)
    link = tmp_path / "link.py"
    link.symlink_to(inside)
    with pytest.raises(PluginError, match="whose code is never run"):
        seqgen.load_plugin(link)


def test_files_that_are_no_python_or_not_there(tmp_path: Path) -> None:
    (tmp_path / "dna.txt").write_text(CODE)
    with pytest.raises(PluginError, match=r"ends in \.py"):
        seqgen.load_plugin(tmp_path / "dna.txt")
    with pytest.raises(PluginError, match="there is no plugin file"):
        seqgen.load_plugin(tmp_path / "dna.py")


def test_two_files_of_one_name_are_a_conflict(dna: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.py"
    other.write_text(CODE)
    seqgen.load_plugin(dna)
    seqgen.load_plugin(other)
    with pytest.raises(PluginError, match="both offer 'dna'"):
        seqgen.load_domain("dna")


def test_faults_in_a_file_name_it(dna: Path, tmp_path: Path, seqgen_command) -> None:
    """Also in reader processes."""
    dna.write_text(CODE.replace("return [Strand(", "return [None if 1 / 0 else ("))
    for jobs in (1, 2):
        arguments = ("prepare", "dna", "--out", tmp_path / str(jobs), "--jobs", jobs)
        status, _, err = seqgen_command("--plugin", dna, *arguments)
        said = " ".join(err.split())
        assert status == 4
        assert f"{dna} sha256:" in said and "Dna.read fails (ZeroDivisionError" in said
        assert f"at {dna}, line 46; read may raise DataError" in said


def test_a_program_gives_its_own_domain(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        f"{CODE}\n\nimport seqgen\n"
        "corpus = seqgen.prepare(Dna(), out='corpus', jobs=2)\n"
        "assert seqgen.prepare(Dna(), out='corpus', jobs=2).info == corpus.info\n"
        "print(corpus.info['pieces'], corpus.info['distribution'], corpus.codec.vocab)\n"
        "corpus = seqgen.write_corpus('given', Dna(), {'train': [Strand('ACGT')]})\n"
    )
    done = subprocess.run(
        [sys.executable, program], capture_output=True, text=True, cwd=tmp_path, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "12 program.py ('A', 'C', 'G', 'T')\n"


def test_a_class_without_a_file_or_a_name_is_refused() -> None:
    space: dict[str, type] = {}
    exec(CODE, space)
    with pytest.raises(PluginError, match="is in no file"):
        seqgen.prepare(space["Dna"]())

    class Nameless(seqgen.plugin.Domain):
        pass

    with pytest.raises(PluginError, match="needs a name of one lower-case word"):
        seqgen.prepare(Nameless())


def test_the_list_of_plugins_allows_some(dna: Path, monkeypatch, seqgen_command) -> None:
    monkeypatch.setenv("SEQGEN_PLUGINS", "seqgen.TEXT, other")
    status, out, _ = seqgen_command("--plugin", dna, "plugins", "list", "--json")
    found = {plugin["distribution"]: plugin for plugin in json.loads(out)}
    assert status == 0
    assert found["seqgen-text"]["state"] == found[str(dna)]["state"] == "loaded"
    assert found["seqgen-text"]["domains"][0]["contract"] == 2
    assert ".txt" in found["seqgen-text"]["domains"][0]["formats"]
    assert found["seqgen-music"] == found["seqgen-music"] | {"state": "left out", "domains": []}
    assert [each.name for each in seqgen.find_domains()] == ["dna", "text"]
    with pytest.raises(PluginError, match=r"SEQGEN_PLUGINS=seqgen\.TEXT, other leaves out; add it"):
        seqgen.load_domain("music")
    status, out, _ = seqgen_command("plugins", "list")
    assert "seqgen-music 0.1.0: left out by SEQGEN_PLUGINS" in out
    assert "  domain text: contract 2; reads .txt" in out
