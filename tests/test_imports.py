"""Who may import whom, what stays unimported, and which names are public."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import seqgen

ROOT = Path(__file__).parent.parent

#: The arrows: a module may import those named, besides `errors` and `vocab`, which all may.
ARROWS = {
    "errors": set(),
    "bounds": set(),
    "compiling": {"files"},
    "vocab": set(),
    "config": {"bounds"},
    "signals": set(),
    "holding": set(),
    "description": {"bounds"},
    "ranges": {"plugin"},
    "weights": {"config"},
    "run_description": {
        *("bounds", "config", "description", "files", "integrity", "plugin", "spans"),
    },
    "files": {"description", "holding", "signals"},
    "plugin": {"bounds", "unknown"},
    "discovery": {"bounds", "config", "plugin"},
    "twins": set(),
    "splits": set(),
    "integrity": {"bounds", "description", "files", "splits"},
    "corpus": {"discovery", "files", "integrity", "plugin", "splits", "twins"},
    "deadline": set(),
    "unknown": set(),
    "finding": {"discovery", "files", "holding", "plugin"},
    "workers": {"signals"},
    "reading": {"deadline", "finding", "plugin", "unknown", "workers"},
    "preparation": {
        "bounds",
        "config",
        "corpus",
        "discovery",
        "files",
        "finding",
        "holding",
        "integrity",
        "plugin",
        "reading",
        "splits",
        "unknown",
    },
    "lanes": {"corpus", "ranges", "splits"},
    "batches": {"corpus", "lanes", "splits"},
    "model": {"weights", "config"},
    "spans": {"corpus", "lanes", "plugin", "ranges", "splits"},
    "evaluation": {"batches", "corpus", "lanes", "model", "spans"},
    "parallel": {"bounds"},
    "learner": {
        "weights",
        "bounds",
        "description",
        "batches",
        "config",
        "corpus",
        "files",
        "model",
        "parallel",
    },
    "training": {
        *("batches", "config", "corpus", "evaluation", "learner", "model", "parallel"),
        "signals",
    },
    "checkpoints": {"learner", "training"},
    "calibration": {"corpus", "evaluation", "model", "spans"},
    "autopilot": {
        *("batches", "calibration", "config", "corpus", "defaults", "learner", "model", "plugin"),
        "spans",
    },
    "ngram": {"batches", "compiling", "corpus", "lanes", "plugin", "spans"},
    "transfer": {"config"},
    "keeping": {
        "description",
        "run_description",
        "weights",
        *("checkpoints", "corpus", "files", "learner", "model", "signals", "spans"),
        "training",
    },
    "defaults": {"config", "corpus", "generation", "plugin", "run", "splits"},
    "run": {
        "run_description",
        "weights",
        *("autopilot", "calibration", "checkpoints", "config", "corpus", "defaults"),
        *("discovery", "files", "learner", "model", "ngram", "parallel", "plugin", "spans"),
        *("training", "transfer", "holding", "keeping"),
    },
    "sampling": {"bounds", "compiling", "config"},
    "fused_step": {"compiling", "plugin", "sampling"},
    "fused": {"weights", "config", "fused_step", "plugin", "sampling"},
    "torch_stepper": {"model", "plugin", "sampling"},
    "stepper": {"fused", "model", "plugin", "run", "sampling", "torch_stepper"},
    "task": {"ranges", "weights", "config", "files", "plugin", "run", "sampling", "stepper"},
    "generation": {"bounds", "config", "candidates", "plugin", "run", "stepper", "task"},
    "candidates": {"plugin", "task"},
    "beam": {"bounds", "config", "plugin", "run", "sampling", "stepper", "task"},
    "novelty": {"bounds", "compiling", "corpus", "plugin"},
    "scoring": {"evaluation", "plugin", "run", "spans"},
    "adaptive": {
        *("batches", "compiling", "corpus", "lanes", "model", "ngram", "plugin", "run", "scoring"),
        "spans",
    },
    "samples": {
        *("config", "corpus", "files", "holding", "novelty", "plugin", "run", "signals", "task"),
    },
    "comparison": {"corpus", "plugin", "run", "spans"},
    "probing": {"comparison", "corpus", "generation", "run"},
    "drawing": {"comparison"},
    "curves": set(),
    "page": {"comparison", "curves", "drawing", "files", "keeping", "plugin", "run", "samples"},
    "testing": {
        *("comparison", "config", "discovery", "files", "generation", "plugin", "preparation"),
        *("run", "samples", "unknown"),
    },
}
TORCH = {
    *(
        "adaptive",
        "autopilot",
        "calibration",
        "evaluation",
        "keeping",
        "learner",
        "model",
        "parallel",
        "training",
        "run",
        "torch_stepper",
    ),
    "scoring",
}
HEAVY = {"torch", "numpy", "music21", "pretty_midi", "symusic", "matplotlib", "plotille", "joblib"}


def imports(path: Path) -> set[str]:
    """Return the dotted names that a file imports anywhere, and from seqgen its modules."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            if node.module == "seqgen":
                found |= {f"seqgen.{name.name}" for name in node.names}
    return found


def test_every_module_has_its_arrows() -> None:
    modules = {path.stem for path in (ROOT / "seqgen").glob("*.py")}
    assert modules - {"__init__", "__main__"} == ARROWS.keys()


@pytest.mark.parametrize("module", ARROWS)
def test_a_module_imports_only_along_its_arrows(module: str) -> None:
    found = imports(ROOT / "seqgen" / f"{module}.py")
    inner = {name.split(".")[1] for name in found if name.startswith("seqgen.")}
    assert inner - {"errors", "vocab", "__version__"} <= ARROWS[module]
    assert module in TORCH or not any(name.split(".")[0] == "torch" for name in found)
    assert not any(name.split(".")[0].startswith("seqgen_") for name in found)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "plugins").rglob("*.py")), ids=lambda path: path.stem
)
def test_plugins_use_public_modules_and_never_one_another(path: Path) -> None:
    own = path.relative_to(ROOT / "plugins").parts[1]
    allowed = {
        "seqgen",
        "seqgen.compiling",
        "seqgen.plugin",
        "seqgen.errors",
        "seqgen.files",
        "seqgen.unknown",
    }
    for name in imports(path):
        if name.startswith("seqgen"):
            assert name in allowed or name.split(".")[0] == own, name
    if path.name == "__init__.py":
        assert imports(path) <= {"collections.abc", "seqgen.plugin"}


def test_public_names_are_all_there() -> None:
    for name in seqgen.__all__:
        assert getattr(seqgen, name) is not None
    homes = {name for names in seqgen._HOMES.values() for name in names}
    assert homes | {"__version__"} == set(seqgen.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = seqgen.nothing


def modules_after(code: str) -> set[str]:
    """Run code in a fresh process and return the modules that it left imported."""
    code += "\nprint('MODULES', *sorted(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}"], capture_output=True, text=True, check=True
    )
    return set(result.stdout.split("MODULES")[1].split())


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["domains"], ["domains", "--json"]]
)
def test_listing_commands_import_nothing_heavy(arguments: list[str]) -> None:
    code = f"""
sys.argv = ["seqgen", *{arguments!r}]
from seqgen.cli import main
try:
    main()
except SystemExit as error:
    assert not error.code, error.code
"""
    assert not modules_after(code) & HEAVY


def test_help_of_a_command_does_not_import_torch() -> None:
    code = """
sys.argv = ["seqgen", "train", "--help"]
from seqgen.cli import main
try:
    main()
except SystemExit:
    pass
"""
    assert "torch" not in modules_after(code)


def test_generating_on_the_processor_does_not_import_torch(run, tmp_path: Path) -> None:
    code = f"""
sys.argv = ["seqgen", "generate", {str(run.folder)!r}, "--length", "50", "--prompt", "7 green"]
sys.argv += ["--out", {str(tmp_path / "out")!r}]
from seqgen.cli import main
try:
    main()
except SystemExit as error:
    assert not error.code, error.code
"""
    assert "torch" not in modules_after(code)


def test_text_never_imports_music(tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
import seqgen
folder = Path({str(tmp_path)!r})
(folder / "a.txt").write_text("to be or not to be " * 20)
corpus = seqgen.prepare("text", [folder / "a.txt"], folder / "corpus")
config = seqgen.TrainConfig(tokens=200, batch_size=2, window=8, evaluations=1, device="cpu")
run = seqgen.create_run(folder / "run", corpus, seqgen.ModelConfig(hidden=8), config)
for report in seqgen.train(run, corpus):
    pass
for new in seqgen.generate(run, 1, limit=seqgen.LimitConfig(length=5)):
    pass
"""
    assert not modules_after(code) & {"music21", "pretty_midi", "symusic", "seqgen_music"}


def test_the_plugin_contract_is_light() -> None:
    assert not modules_after("import seqgen.plugin") & HEAVY
