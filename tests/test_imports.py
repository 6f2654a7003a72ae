"""Who may import whom, what stays unimported, and which names are public."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import seqgen

ROOT = Path(__file__).parent.parent

#: The rooms of the core. Each imports the rooms named, and the modules beside the rooms.
ROOMS: dict[str, set[str]] = {
    "storage": set(),
    "conditions": set(),
    "plugins": {"storage", "conditions"},
    "network": {"storage", "plugins"},
    "data": {"storage", "conditions", "plugins"},
    "run": {"storage", "conditions", "plugins", "network", "data"},
    "drawing": set(),
    "stepping": {"storage", "network", "run", "drawing"},
    "generation": {"storage", "conditions", "plugins", "run", "drawing", "stepping"},
    "evaluation": {
        *("conditions", "plugins", "network", "data", "run", "drawing", "stepping", "generation"),
    },
    "training": {
        *("storage", "conditions", "plugins", "network", "data", "run", "generation"),
        "evaluation",
    },
    "report": {"storage", "conditions", "plugins", "data", "run", "generation", "evaluation"},
    "conformance": {
        *("conditions", "plugins", "network", "data", "drawing", "generation", "evaluation"),
        *("training", "report"),
    },
    "export": {"conditions", "plugins", "network", "run"},
    "serve": {
        *("conditions", "plugins", "data", "run", "stepping", "generation", "evaluation"),
        "report",
    },
    "cli": {
        *("storage", "conditions", "plugins", "network", "data", "run", "generation"),
        *("evaluation", "training", "report", "conformance", "serve", "export"),
    },
}
#: What the ground floor imports of the rooms.
GROUND = {
    "cluster": {"plugins"},
    "compiling": set(),
    "files": {"storage"},
    "plugin": {"conditions", "plugins"},
    "testing": {"plugins", "conformance"},
    "__init__": ROOMS.keys() - {"cli", "conformance", "serve"},
    "__main__": {"storage", "cli"},
}
#: What the room of locks and checked files may import of the ground floor.
UNDER_STORAGE = {"bounds", "config", "errors", "vocab"}

#: The rooms of the plugins, as those of the core; the modules beside them are the ground floor.
PLUGIN_ROOMS: dict[str, dict[str, set[str]]] = {
    "seqgen_music": {
        "files": set(),
        "codecs": set(),
        "measures": {"codecs"},
        "render": {"files"},
    },
    "seqgen_handwriting": {
        "files": set(),
        "codecs": set(),
        "measures": {"codecs"},
    },
    "seqgen_speech": {
        "files": set(),
        "vocoder": set(),
        "codecs": {"vocoder"},
        "measures": {"codecs", "vocoder"},
        "render": {"files"},
    },
}
#: What the ground floor of a plugin imports of its rooms.
PLUGIN_GROUND: dict[str, dict[str, set[str]]] = {
    "seqgen_music": {"domain": {"files", "codecs", "measures", "render"}},
    "seqgen_handwriting": {
        "domain": {"files", "codecs", "measures"},
        "demo": {"files"},
    },
    "seqgen_speech": {
        "domain": {"files", "codecs", "measures", "render"},
        "demo": {"files"},
    },
}

#: What plugins may import of the core.
PUBLIC = (
    *(
        "compiling",
        "conditions",
        "errors",
        "files",
        "following",
        "grammar",
        "network.layers",
        "plugin",
    ),
    "unknown",
)

#: Who may import torch: what trains or evaluates, and the stepper that runs the model itself.
TORCH = {
    "network.context_tables",
    "network.layers",
    "network.lstm",
    "network.model",
    "run.folder",
    "stepping.torch_stepper",
    "evaluation.adaptive",
    "evaluation.loss",
    "evaluation.nats",
    "evaluation.predictor",
    "evaluation.scoring",
    "training.calibration",
    "training.keeping",
    "training.learner",
    "training.loop",
    "training.optimizer",
    "training.parallel",
    "training.realignment",
    "training.session",
    "training.trials",
    "cli.train",
    "conformance.architectures",
}
PACKAGES = {
    "seqgen": ROOT / "seqgen",
    "seqgen_music": ROOT / "plugins/music/seqgen_music",
    "seqgen_text": ROOT / "plugins/text/seqgen_text",
    "seqgen_handwriting": ROOT / "plugins/handwriting/seqgen_handwriting",
    "seqgen_speech": ROOT / "plugins/speech/seqgen_speech",
    "seqgen_cells": ROOT / "plugins/cells/seqgen_cells",
    "seqgen_chess": ROOT / "examples/plugin-chess/seqgen_chess",
}
HEAVY = {
    "torch",
    "numpy",
    "music21",
    "pretty_midi",
    "symusic",
    "matplotlib",
    "plotille",
    "joblib",
    "dask",
    "distributed",
    "chess",
    "soundfile",
    "soxr",
}


def imports(path: Path) -> set[str]:
    """Return the dotted names that a file imports anywhere, also for type checking only."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return found


def modules_of(package: str) -> dict[str, Path]:
    """Return the files of a package by dotted name."""
    folder = PACKAGES[package]
    return {
        ".".join([package, *path.relative_to(folder).with_suffix("").parts]): path
        for path in sorted(folder.rglob("*.py"))
    }


def inner_imports(package: str) -> dict[str, set[str]]:
    """Return for each module of a package which others of it are imported."""
    modules = modules_of(package)
    found = {}
    for name, path in modules.items():
        mentioned = {".".join(each.split(".")[:end]) for each in imports(path) for end in (2, 3, 4)}
        found[name] = (mentioned & modules.keys()) - {name}
    return found


def test_every_room_has_its_row() -> None:
    rooms = {path.name for path in (ROOT / "seqgen").iterdir() if (path / "__init__.py").exists()}
    assert rooms == ROOMS.keys()


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_along_its_arrows(room: str) -> None:
    for module, others in inner_imports("seqgen").items():
        if module.startswith(f"seqgen.{room}."):
            found = {other.split(".")[1] for other in others}
            assert found & ROOMS.keys() <= ROOMS[room] | {room}, module
            if room == "storage":
                assert found - {"storage"} <= UNDER_STORAGE, module


def test_the_ground_floor_imports_few_rooms() -> None:
    for module, others in inner_imports("seqgen").items():
        name = module.removeprefix("seqgen.")
        if "." not in name:
            found = {other.split(".")[1] for other in others}
            assert found & ROOMS.keys() <= GROUND.get(name, set()), module


@pytest.mark.parametrize("package", PLUGIN_ROOMS)
def test_rooms_of_a_plugin_import_only_along_their_arrows(package: str) -> None:
    rooms, ground = PLUGIN_ROOMS[package], PLUGIN_GROUND[package]
    found = {path.parent.name for path in PACKAGES[package].glob("*/__init__.py")}
    assert found == rooms.keys()
    for module, others in inner_imports(package).items():
        first, *rest = module.split(".")[1:]
        arrows = {other.split(".")[1] for other in others} & rooms.keys()
        assert arrows <= (rooms[first] | {first} if rest else ground.get(first, set())), module


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_imports_itself_by_way_of_others(package: str) -> None:
    try:
        TopologicalSorter(inner_imports(package)).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_torch_is_imported_only_where_it_is_needed() -> None:
    for name, path in modules_of("seqgen").items():
        found = {each.split(".")[0] for each in imports(path)}
        assert "torch" not in found or name.removeprefix("seqgen.") in TORCH, name
        assert not any(each.startswith("seqgen_") for each in found), name


@pytest.mark.parametrize(
    "path",
    [path for package in PACKAGES if package != "seqgen" for path in modules_of(package).values()],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_plugins_use_public_modules_and_never_one_another(path: Path) -> None:
    own = next(part for part in path.parts if part.startswith("seqgen_"))
    allowed = tuple(f"seqgen.{name}." for name in PUBLIC)
    for name in imports(path):
        if name.startswith("seqgen."):
            assert name.startswith(allowed), name
        elif name.startswith("seqgen_"):
            assert name.split(".")[0] == own, name
    if path.parent.name == own and path.name == "__init__.py":
        assert {name.rpartition(".")[0] for name in imports(path)} <= {
            "collections.abc",
            "seqgen.plugin",
        }


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
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["domains"],
        ["domains", "--json"],
        ["architectures"],
        ["plugins", "list"],
    ],
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
