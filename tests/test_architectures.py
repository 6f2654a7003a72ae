"""Architectures of plugins, made here as fake distributions, and the kit that checks them."""

import importlib
import json
import re
import shutil
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from torch import nn

import seqgen
from seqgen.config import LimitConfig, ModelConfig, TrainConfig
from seqgen.conformance.architectures import PROMISES, Network
from seqgen.errors import ConfigError, PluginError, RunError
from seqgen.network.architectures import find_architectures, load_architecture
from seqgen.network.layers import Cell, Layer
from seqgen.network.model import SequenceModel, kinds_of
from seqgen.plugin import ArchitectureSpec
from seqgen.plugins.announcements import Announced
from seqgen.plugins.faults import RULES, PluginFault
from seqgen.run.folder import Run
from seqgen.stepping import torch_stepper
from seqgen.storage.tensors import expected
from seqgen.testing import check_architecture
from seqgen.training.transfer import transfer_weights
from seqgen.vocab import Vocab

ROOT = Path(__file__).parent.parent
CONFIG = TrainConfig(tokens=800, batch_size=4, window=16, evaluations=1, device="cpu", checkpoint=0)

HOOK = """
    from seqgen.plugin import ArchitectureSpec, hookimpl

    @hookimpl
    def seqgen_architectures():
        return [ArchitectureSpec("NAME", "a cell", "NAME_cell:Own", contract=2)]
"""

#: A state of two tensors of odd shapes, and a start that is learned.
CELL = """
    import torch
    from torch import nn
    from seqgen.network.layers import Cell

    class Own(Cell):
        def __init__(self, inputs, hidden):
            super().__init__(inputs, hidden)
            self.read = nn.Linear(inputs, hidden)
            self.twist = nn.Linear(2 * hidden, hidden)
            self.first = nn.Parameter(torch.full((2, hidden), 0.5))

        def start(self, lanes):
            return self.first.expand(lanes, -1, -1), torch.zeros(lanes)

        def before(self, x):
            return self.read(x)

        def step(self, x, state):
            pair, count = state
            h = torch.tanh(x + self.twist(pair.flatten(1))) / (1 + 0.01 * count[:, None])
            return h, (torch.stack([h, pair[:, 0]], 1), (count + 1).clamp(max=5))
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch, write_metadata):
    """Return a function that makes an installed distribution with one architecture."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    made = []

    def make(name: str, hook: str = HOOK, cell: str = CELL) -> Path:
        for module, code in ((f"{name}_plugin", hook), (f"{name}_cell", cell)):
            made.append(module)
            (folder / f"{module}.py").write_text(textwrap.dedent(code).replace("NAME", name))
        points = {name: f"{name}_plugin"}
        info = write_metadata(folder, f"seqgen-fake-{name}", points, "seqgen.architectures")
        importlib.invalidate_caches()
        return info

    yield make
    for module in made:
        sys.modules.pop(module, None)


def by_name() -> dict[str, Announced]:
    return {found.name: found for found in find_architectures()}


BROKEN_HOOKS = {
    "import_error": ("import no_such_library", "No module named 'no_such_library'"),
    "system_exit": ("import sys; sys.exit('bye')", "SystemExit: bye"),
    "syntax_error": ("def (", "SyntaxError"),
    "no_hook": ("x = 1", "implements no hook seqgen_architectures"),
    "misspelt": (
        HOOK.replace("def seqgen_architectures", "def seqgen_architecture"),
        "unknown hook 'seqgen_architecture'",
    ),
    "wrong_type": (
        HOOK.replace('ArchitectureSpec("NAME", "a cell", "NAME_cell:Own", contract=2)', "'gru'"),
        "must return ArchitectureSpec objects, found 'gru'",
    ),
    "wrong_place": (
        HOOK.replace('"NAME_cell:Own"', "7"),
        "implementation of the ArchitectureSpec must be of type str, found 7",
    ),
    "other_name": (HOOK.replace("NAME", "another"), "offers another"),
    "raises": (HOOK.replace("return", "raise KeyError('x')"), "KeyError"),
}


@pytest.mark.parametrize("kind", BROKEN_HOOKS)
def test_a_broken_plugin_is_reported_and_harms_nobody(kind: str, install, seqgen_command) -> None:
    hook, cause = BROKEN_HOOKS[kind]
    install(kind, hook)
    install("sound")
    found = by_name()
    assert (found["lstm"].status, found["sound"].status) == ("ok", "ok")
    assert found[kind].status == "broken" and cause in found[kind].problem
    assert f"seqgen-fake-{kind} 2.5" in found[kind].problem
    load_architecture("sound")
    load_architecture("lstm")
    seqgen.load_domain("text")
    with pytest.raises(PluginError, match=f"architecture '{kind}' cannot be used: seqgen-fake-"):
        load_architecture(kind)
    status, shown, _ = seqgen_command("architectures", "--json")
    assert status == 0
    [told] = [each for each in json.loads(shown) if each["name"] == kind]
    assert told["problem"] == found[kind].problem and "suffixes" not in told


BROKEN_CELLS = {
    "no_module": ("import no_such_library", "No module named 'no_such_library'"),
    "no_class": ("x = 1", "has no attribute 'Own'"),
    "no_layer": ("class Own: pass", "must be a class of seqgen.network.layers.Layer"),
    "no_step": ("from seqgen.network.layers import Cell as Own", "lacks start, step"),
    "no_run": (
        "from seqgen.network.layers import Layer\n"
        "class Own(Layer):\n    def start(self, lanes): return ()",
        "lacks run",
    ),
    "ends": ("import sys; sys.exit('bye')", "SystemExit: bye"),
}


@pytest.mark.parametrize("kind", BROKEN_CELLS)
def test_a_broken_cell_is_reported_when_it_is_used(kind: str, install, corpus, tmp_path) -> None:
    cell, cause = BROKEN_CELLS[kind]
    install(kind, cell=cell)
    with pytest.raises(PluginError, match=re.escape(cause)) as caught:
        seqgen.create_run(tmp_path / "run", corpus, ModelConfig(kind, hidden=8), CONFIG)
    assert f"seqgen-fake-{kind} 2.5" in str(caught.value)
    assert not (tmp_path / "run").exists()
    assert by_name()["lstm"].status == "ok"


def test_the_name_of_the_core_s_architecture_stays_its_own(install) -> None:
    install("lstm")
    first, *others = find_architectures()
    assert (first.name, first.status, first.distribution) == ("lstm", "ok", "seqgen-toolkit")
    [claim] = [each for each in others if each.name == "lstm"]
    assert claim.status == "conflict" and "seqgen-fake-lstm: 'lstm' is" in claim.problem
    assert load_architecture("lstm")[0].__module__ == "seqgen.network.lstm"


def test_another_contract_and_unknown_names_say_what_to_do(install) -> None:
    install("old", HOOK.replace(", contract=2)", ")"))
    with pytest.raises(PluginError, match=r"written for contract 1, .* upgrade seqgen-fake-old"):
        load_architecture("old")
    with pytest.raises(PluginError, match=r"no architecture 'odl'; .* did you mean 'old'\?"):
        load_architecture("odl")


FAULTS = {
    "start": "        def start(self, lanes):",
    "before": "        def before(self, x):",
    "step": "        def step(self, x, state):",
    "__init__": "        def __init__(self, inputs, hidden):",
}


@pytest.mark.parametrize("method", FAULTS)
def test_a_fault_names_its_author_place_and_rule(method, install, corpus, tmp_path: Path) -> None:
    head = FAULTS[method]
    install("faulty", cell=CELL.replace(head, f"{head}\n            raise KeyError('x')"))
    with pytest.raises(PluginFault) as caught:
        run = seqgen.create_run(
            tmp_path / "run", corpus, ModelConfig("faulty", hidden=8, embedding=4), CONFIG
        )
        list(seqgen.train(run, corpus))
    said = str(caught.value)
    assert said.startswith(f"seqgen-fake-faulty 2.5: Own.{method} fails (KeyError: 'x') at ")
    line = CELL.split("\n").index(head) + 2
    assert f"faulty_cell.py, line {line}" in said
    assert RULES[method].text in said


def test_every_method_of_a_layer_has_its_rule() -> None:
    own = {name for kind in (Layer, Cell) for name in vars(kind) if callable(vars(kind)[name])}
    assert {"start", "run", "before", "step", "__init__"} <= own & RULES.keys()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("return h, (torch", "return h[:, 1:], (torch"), r"shapes \[\(\d+, \d+, 7\), "),
        (("(count + 1).clamp(max=5)", "count[:1]"), r"expected \[\(\d+, \d+, 8\), .*\(\d+,\)\]"),
        (("self.twist =", 'self.register_buffer("seen", torch.zeros(1))\n            self.twist ='),
         "has the tensor 'seen' of torch.float32, expected a float32 parameter"),
        (("torch.full((2, hidden), 0.5)", "torch.full((2, hidden), 0.5, dtype=torch.float64)"),
         "has the tensor 'first' of torch.float64"),
    ],
)  # fmt: skip
def test_other_shapes_and_tensors_than_promised_are_refused(
    change, told, install, corpus, tmp_path: Path
) -> None:
    install("odd", cell=CELL.replace(*change))
    with pytest.raises(PluginError, match=told) as caught:
        run = seqgen.create_run(
            tmp_path / "run", corpus, ModelConfig("odd", hidden=8, embedding=4), CONFIG
        )
        list(seqgen.train(run, corpus))
    assert "odd_cell.Own" in str(caught.value) and "tell its authors" in str(caught.value)


def test_a_state_of_any_structure_goes_the_whole_way(
    install, corpus, tmp_path: Path, monkeypatch
) -> None:
    """A tensor of rank 3, one of rank 1, and a start that is learned."""
    monkeypatch.setattr("seqgen.training.loop.REPORT_EVERY", 0.0)
    info = install("odd")
    model = ModelConfig("odd", hidden=8, embedding=4, layers=2, dropout=0.2)
    run = seqgen.create_run(tmp_path / "run", corpus, model, CONFIG)
    assert kinds_of(model, run.vocab, ()) == run.kinds
    assert run.info["architecture"] == {"distribution": "seqgen-fake-odd", "version": "2.5"}
    for number, _ in enumerate(seqgen.train(run, corpus)):
        if number == 4:
            shutil.copytree(run.folder, tmp_path / "killed")
    list(seqgen.train(Run(tmp_path / "killed", "cpu"), corpus))
    whole, resumed = (
        (tmp_path / name / "model.safetensors").read_bytes() for name in ("run", "killed")
    )
    assert whole == resumed
    run = seqgen.load(tmp_path / "run", "cpu")
    seqgen.prime(run, "9 green").save(tmp_path / "primed")
    primed = seqgen.Primed.load(tmp_path / "primed")
    assert [part.shape for part in primed.state] == [(2, 1, 2, 8), (2, 1)]
    limit = LimitConfig(length=20)
    one, other = (
        [new.piece for new in seqgen.generate(run, 2, prompt=prompt, limit=limit)]
        for prompt in ("9 green", primed)
    )
    assert one == other
    assert len(list(seqgen.search(run, width=2, limit=limit))) == 1
    [score] = seqgen.score_adaptively(run, ["9 green bottles"])
    assert score.nats > 0
    check_architecture("odd")
    _uninstalled(info, run, seqgen_text=tmp_path)


def _uninstalled(info: Path, run: Run, seqgen_text: Path) -> None:
    """Without its distribution the run is described, and says what it needs."""
    shutil.rmtree(info)
    importlib.invalidate_caches()
    told = r"architecture 'odd' of seqgen-fake-odd 2.5, .*no architecture 'odd'.*install that"
    for way in (
        lambda again: again.model,
        lambda again: list(seqgen.generate(again, 1)),
        lambda again: list(seqgen.score(again, ["9 green"])),
    ):
        with pytest.raises(PluginError, match=told):
            way(seqgen.load(run.folder, "cpu"))
    assert Run(run.folder).info["model"]["architecture"] == "odd"


def test_the_core_needs_no_network_to_know_its_weights() -> None:
    vocab = Vocab.of("abc")
    for config in (ModelConfig(hidden=8, layers=2), ModelConfig(hidden=8, embedding=0, skip=True)):
        assert kinds_of(config, vocab, (3,)) == expected(config, vocab, (3,))
    # The largest network that settings allow takes no memory.
    assert kinds_of(ModelConfig(layers=64, hidden=16_384), vocab, ())


def test_one_hot_inputs_of_another_architecture_keep_their_vocabulary() -> None:
    config = ModelConfig("other", hidden=8, embedding=0)
    with pytest.raises(RunError, match=r"'other' with one-hot inputs .* with an embedding"):
        transfer_weights({}, Vocab.of("ab"), Vocab.of("abc"), config)


def test_8_bit_weights_are_for_the_core(install, corpus, tmp_path: Path) -> None:
    install("odd")
    run = seqgen.create_run(tmp_path / "run", corpus, ModelConfig("odd", hidden=8), CONFIG)
    with pytest.raises(
        ConfigError, match=r"for the architecture lstm, and .* has odd; leave int8 out"
    ):
        list(seqgen.generate(run, 1, int8=True))


class Good(Cell):
    """Keeps every promise; each class below breaks one."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(inputs, hidden)
        self.read = nn.Linear(inputs, hidden)
        self.twist = nn.Linear(hidden, hidden)
        self.calls = 0

    def start(self, lanes):
        return (torch.zeros(lanes, self.hidden),)

    def before(self, x):
        return self.read(x)

    def step(self, x, state):
        h = torch.tanh(x + self.twist(state[0]))
        return h, (h,)


class Unseeded(Good):
    count = 0

    def __init__(self, inputs, hidden):
        super().__init__(inputs, hidden)
        Unseeded.count += 1
        nn.init.constant_(self.twist.bias, Unseeded.count)


class Ordered(Good):
    def start(self, lanes):
        return (torch.arange(lanes)[:, None].expand(-1, self.hidden).float(),)


class Ahead(Good):
    def before(self, x):
        return self.read(x).flip(0)


class Mixed(Good):
    def step(self, x, state):
        h = torch.tanh(x + self.twist(state[0]).mean(0))
        return h, (h,)


class InPlace(Good):
    def step(self, x, state):
        h = state[0]
        h.copy_(torch.tanh(x + self.twist(h)))
        return h.clone(), (h,)


class Secretive(Good):
    def step(self, x, state):
        self.calls += 1
        h = torch.tanh(x + self.twist(state[0]) + 0.001 * self.calls)
        return h, (h,)


class Deaf(Good):
    def restart(self):
        """Never called: the core restarts by `start`, which here depends on what came before."""

    def start(self, lanes):
        self.calls += 1
        return (torch.full((lanes, self.hidden), 0.1 * self.calls),)


class Idle(Good):
    def __init__(self, inputs, hidden):
        super().__init__(inputs, hidden)
        self.unused = nn.Linear(hidden, hidden)


class Exploding(Good):
    def step(self, x, state):
        h = 10 * (x + self.twist(state[0]) + 2 * state[0])
        return h, (h,)


class Stubborn(Good):
    def step(self, x, state):
        h, _ = super().step(x, state)
        return 0 * h, (h,)


class Forgetful(Good):
    """Counts in training only, so nothing but resuming shows it."""

    def step(self, x, state):
        self.calls += self.training
        h = torch.tanh(x + self.twist(state[0])) * (1 + 0.01 * self.calls)
        return h, (h,)


BREAKERS = {
    Unseeded: "is_built_alike",
    Ordered: "starts_alike",
    Ahead: "steps_as_it_reads",
    Mixed: "keeps_sequences_apart",
    InPlace: "remembers_only_its_state",
    Secretive: "remembers_only_its_state",
    Deaf: "starts_anew_after_the_end",
    Idle: "reaches_every_weight",
    Exploding: "stays_finite",
    Stubborn: "learns_and_resumes",
    Forgetful: "learns_and_resumes",
}


def verdicts(layer: type[Layer], monkeypatch, name: str = "own") -> dict[str, str]:
    """Return the promises that a layer breaks, with the reasons."""
    spec = ArchitectureSpec(name, "a cell", "here:Own", contract=2)
    found = Announced(name, "ok", "here", "1", spec=spec)
    monkeypatch.setattr("seqgen.network.model.load_architecture", lambda _: (layer, found))
    broken = {}
    for promise in PROMISES:
        try:
            promise(Network(spec, layer))
        except Exception as reason:  # as the kit does: PyTorch may notice the fault itself
            broken[promise.__name__] = str(reason)
    return broken


@pytest.mark.parametrize("layer", BREAKERS, ids=lambda layer: layer.__name__)
def test_each_promise_fails_for_a_layer_that_breaks_it(layer, monkeypatch) -> None:
    broken = verdicts(layer, monkeypatch)
    assert BREAKERS[layer] in broken
    assert broken[BREAKERS[layer]], "the reason is empty"


def test_a_layer_that_keeps_all_promises_breaks_none(monkeypatch) -> None:
    assert verdicts(Good, monkeypatch) == {}
    assert verdicts(Good, monkeypatch, "Own Cell").keys() == {"describes_itself"}
    assert {*BREAKERS.values(), "describes_itself"} == {each.__name__ for each in PROMISES}


def test_the_architecture_of_the_page_keeps_the_promises(tmp_path: Path, monkeypatch) -> None:
    page = (ROOT / "docs" / "architectures.md").read_text()
    blocks = dict(re.findall(r"`(seqgen_mgu/\w+\.py)`.*?```python\n(.*?)```", page, re.DOTALL))
    assert len(blocks) == 2
    (tmp_path / "seqgen_mgu").mkdir()
    for place, code in blocks.items():
        (tmp_path / place).write_text(code)
    [toml] = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    info = tmp_path / "seqgen_mgu-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: seqgen-mgu\nVersion: 0.1.0\n")
    assert toml.splitlines()[0] == '[project.entry-points."seqgen.architectures"]'
    (info / "entry_points.txt").write_text(
        toml.replace('project.entry-points."seqgen.architectures"', "seqgen.architectures").replace(
            '"', ""
        )
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert check_architecture("mgu") == len(PROMISES)
    for name in ("seqgen_mgu", "seqgen_mgu.cell"):
        sys.modules.pop(name)


def test_a_network_of_any_architecture_counts_its_own_weights(install) -> None:
    install("odd")
    model = SequenceModel(ModelConfig("odd", hidden=8, embedding=4), Vocab.of("abc"))
    names = dict(model.layers.named_parameters())
    assert {"0.first", "0.read.weight", "0.twist.weight"} <= names.keys()


def test_a_cell_that_cannot_be_a_cuda_graph_says_so(monkeypatch) -> None:
    def capture(*_: object) -> None:
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    monkeypatch.setattr(torch_stepper._Graph, "_capture", capture)
    model = SequenceModel(ModelConfig(hidden=8, embedding=4), Vocab.of("abc"))
    told = r"'lstm' cannot run as a CUDA graph \(operation not permitted .*\); .* the device cpu"
    with pytest.raises(PluginError, match=told):
        torch_stepper._Graph(model, 1, 0)
    monkeypatch.setattr(torch_stepper._Graph, "_capture", exhausted)
    with pytest.raises(torch.OutOfMemoryError):
        torch_stepper._Graph(model, 1, 0)


def exhausted(*_: object) -> None:
    raise torch.OutOfMemoryError("none left")
