"""Run folders that were altered: they are refused with an error of seqgen, or do no harm.

Nothing else is ever raised, compiled code is entered only with arrays that fit, and sizes are
bounded before anything is allocated.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

import seqgen
from seqgen.config import LimitConfig, ModelConfig, SampleConfig, TrainConfig
from seqgen.errors import PluginError, RunError, SeqgenError
from seqgen.report.curves import loss_curves
from seqgen.run.card import model_card
from seqgen.stepping.stepper import choose_stepper
from seqgen.stepping.torch_stepper import TorchStepper
from seqgen.training.session import _seconds_to_learn
from seqgen.vocab import Vocab

LINE = "seven green bottles hanging on the wall\n"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose training is not finished, with every key that a run may have."""
    place = tmp_path_factory.mktemp("hostile")
    (place / "a.txt").write_text(LINE * 30)
    corpus = seqgen.prepare("text", [place / "a.txt"], place / "corpus")
    config = TrainConfig(
        tokens=2_000, batch_size=2, window=8, device="cpu", evaluations=20, threads=1
    )
    run = seqgen.create_run(place / "run", corpus, ModelConfig(hidden=8, embedding=4), config)
    seqgen.measure_baseline(run, corpus)
    training = seqgen.train(run, corpus)
    for report in training:
        if report.improved:
            break
    training.close()
    counted = {"most_common": 0.5, "run": 3, "distinct": 0.5, "poorest": 0.1}
    run.info["sampling"] = {
        "temperature": 0.9,
        "min_p": 0.02,
        "excess": 1.0,
        "new": counted,
        "corpus": counted,
    }
    run.info["from"] = {"run": "elsewhere", "kept": 1, "new": 2, "dropped": 3}
    (run.folder / "run.json").write_text(json.dumps(run.info))
    return run.folder


@pytest.fixture
def altered(hostile: Path, tmp_path: Path) -> Path:
    """A copy to alter."""
    return Path(shutil.copytree(hostile, tmp_path / "run"))


def use(folder: Path) -> None:
    """Do with a run what reads most of it: both steppers, the card, the sampling settings."""
    run = seqgen.load(folder, "cpu")
    model_card(run.info)
    loss_curves(run.metrics, run.info.get("baseline"))
    limit = LimitConfig(length=9)
    list(seqgen.generate(run, 1, prompt="seven", limit=limit, seed=1))
    TorchStepper(run.model)
    _seconds_to_learn(run, 0.0)


def test_every_key_of_run_json(altered: Path, alterations) -> None:
    """Every value is replaced by each of some others; the messages name folder and key."""
    path = altered / "run.json"
    info = json.loads(path.read_text())
    refused = 0
    for keys, changed in alterations(info):
        path.write_text(json.dumps(changed))
        try:
            use(altered)
        except SeqgenError as error:
            refused += 1
            assert str(altered) in str(error) or keys[0] in ("domain", "codec"), (keys, changed)
    assert refused > 250


@pytest.mark.parametrize("name", ["info", "generate", "score", "resume"])
def test_commands_refuse_what_cannot_be(
    name: str, altered: Path, tmp_path: Path, capsys, command
) -> None:
    path = altered / "run.json"
    info = json.loads(path.read_text())
    more = {
        "info": (),
        "generate": ("--length", 9, "--prompt", "seven", "--out", tmp_path / "out"),
        "score": (altered.parent / "a.txt",),
        "resume": (),
    }[name]
    contents = [
        *(json.dumps(info | {key: value}) for key, value in SOME.items()),
        *(json.dumps({name: info[name] for name in info if name != key}) for key in SOME),
        "[" * 200_000,
        "[" * 200_000 + "]" * 200_000,
        json.dumps(info | {"deep": "DEEP"}).replace('"DEEP"', "[" * 200_000 + "]" * 200_000),
        "",
        "5",
        "\0",
    ]
    for content in contents:
        path.write_text(content)
        assert command(name, altered, *more) == 1
        said = capsys.readouterr().err
        assert str(altered) in said and "Traceback" not in said
    assert not (tmp_path / "out").exists()


#: Keys of ``run.json`` and values that they cannot have.
SOME = {
    "versions": None,
    "contract": 99,
    "model": {"hidden": 10**9},
    "vocab": ["x"],
    "codec": [],
    "corpus": {},
    "plan": 5,
    "train": {"seed": float("inf")},
}


def save_weights(folder: Path, weights: dict[str, np.ndarray]) -> None:
    content = {name: np.ascontiguousarray(value) for name, value in weights.items()}
    (folder / "model.safetensors").write_bytes(safetensors.numpy.save(content))


def test_every_tensor_for_both_steppers(altered: Path) -> None:
    weights = seqgen.load(altered, "cpu").weights
    alterations = [{**weights, "layers.1.bias": weights["layers.0.bias"]}]
    for name, value in weights.items():
        alterations.append({key: weights[key] for key in weights if key != name})
        rows = len(value)
        for other in (
            *(value[: rows - 1], value[: rows // 2], value[:1], value[:0]),
            *(np.concatenate([value, value]), value.astype(np.int64), value.astype(np.float64)),
        ):
            alterations.append(weights | {name: other})
    for changed_weights in alterations:
        save_weights(altered, changed_weights)
        run = seqgen.load(altered, "cpu")
        for make in (lambda run=run: choose_stepper(run, 1), lambda run=run: run.model):
            with pytest.raises(RunError, match=r"model.safetensors does not fit run.json"):
                make()
    save_weights(altered, weights)
    use(altered)


@pytest.mark.parametrize(
    ("version", "advice"),
    [
        (
            None,
            r"unlike an earlier state of seqgen-text \S+, which was used there; prepare and train",
        ),
        (
            "0.0.9",
            "unlike seqgen-text 0.0.9, which was used there; install that version, or prepare",
        ),
    ],
)
def test_a_codec_of_another_version_says_what_to_do(
    altered: Path, version: str | None, advice: str
) -> None:
    path = altered / "run.json"
    info = json.loads(path.read_text())
    names = info["vocab"][:-1]
    changed = {"vocab": names, "vocab_digest": Vocab.of(names).digest}
    changed |= {"version": version} if version else {}
    path.write_text(json.dumps(info | changed))
    with pytest.raises(PluginError, match=advice):
        _ = seqgen.load(altered, "cpu").codec


def test_a_small_vocabulary_with_a_large_codec(altered: Path) -> None:
    """With and without the digest of that vocabulary, and one name short."""
    path = altered / "run.json"
    info = json.loads(path.read_text())
    characters = "".join(map(chr, range(0x4E00, 0x4E00 + 20_000)))
    info["codec"]["state"] = {"characters": characters, "dropped": ""}
    for names in (["x"], list(characters[:-1])):
        path.write_text(json.dumps(info | {"vocab": names}))
        with pytest.raises(RunError, match="vocab_digest does not match vocab"):
            seqgen.load(altered, "cpu")
        digest = Vocab.of(names).digest
        path.write_text(json.dumps(info | {"vocab": names, "vocab_digest": digest}))
        run = seqgen.load(altered, "cpu")
        with pytest.raises(PluginError, match="makes another vocabulary"):
            list(
                seqgen.generate(
                    run, 1, prompt=characters, sample=SampleConfig(repetition_penalty=1.5)
                )
            )


def test_large_settings_allocate_nothing(altered: Path) -> None:
    """With less than 1 GB of memory more than what is there after importing."""
    info = json.loads((altered / "run.json").read_text())
    code = """
import json, resource, sys
import numpy as np, torch, seqgen, seqgen.network.model
from pathlib import Path
from seqgen.errors import SeqgenError
from seqgen.stepping.stepper import choose_stepper
pages = int(Path("/proc/self/statm").read_text().split()[0])
most = pages * resource.getpagesize() + 10**9
resource.setrlimit(resource.RLIMIT_AS, (most, most))
folder = Path(sys.argv[1])
for description in json.loads(sys.argv[2]):
    (folder / "run.json").write_text(json.dumps(description))
    for make in (lambda run: choose_stepper(run, 1), lambda run: run.model):
        try:
            make(seqgen.load(folder, "cpu"))
        except SeqgenError as error:
            print(error)
"""
    changes = (
        *({"hidden": 16_384}, {"hidden": 16_384, "layers": 64}, {"hidden": 10**9}),
        *({"embedding": 10**15}, {"embedding": 16_384}, {"layers": 64}),
    )
    descriptions = [info | {"model": info["model"] | change} for change in changes]
    done = subprocess.run(
        [sys.executable, "-c", code, str(altered), json.dumps(descriptions)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 2 * len(changes), done.stderr


def test_one_hot_input_of_a_large_vocabulary_names_the_folder(altered: Path) -> None:
    path = altered / "run.json"
    info = json.loads(path.read_text())
    characters = "".join(map(chr, range(0x4E00, 0x4E00 + 20_000)))
    info["codec"]["state"] = {"characters": characters, "dropped": ""}
    info["model"]["embedding"] = 0
    info |= {"vocab": list(characters), "vocab_digest": Vocab.of(list(characters)).digest}
    path.write_text(json.dumps(info))
    run = seqgen.load(altered, "cpu")
    for make in (lambda: choose_stepper(run, 1), lambda: run.model):
        with pytest.raises(RunError, match=r"run.json is damaged: one-hot inputs take 16,384"):
            make()
