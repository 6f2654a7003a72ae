"""The architectures of `seqgen_cells`: the promises, equations of the papers, and the whole way."""

import itertools
import math
import shutil
from pathlib import Path

import pytest
import torch
from seqgen_cells import SUMMARIES
from seqgen_cells.gru import GRU
from seqgen_cells.layernorm import LayerNormLSTM
from seqgen_cells.mogrifier import MogrifierLSTM
from seqgen_cells.multiplicative import MultiplicativeLSTM
from seqgen_cells.peephole import PeepholeLSTM
from seqgen_cells.projection import ProjectionLSTM
from seqgen_cells.slstm import SLSTM

import seqgen
from seqgen.config import LimitConfig, ModelConfig, TrainConfig
from seqgen.network.architectures import find_architectures
from seqgen.network.layers import Layer
from seqgen.network.lstm import ResetLSTM
from seqgen.run.folder import Run
from seqgen.testing import ArchitectureCheck, architecture_checks

NAMES = [place.partition(".")[0] for place in SUMMARIES]
CHECKS = [check for name in ["lstm", *NAMES] for check in architecture_checks(name)]
STEPS, LANES, INPUTS, HIDDEN = 12, 3, 5, 7


def test_all_are_announced() -> None:
    found = {each.name: each for each in find_architectures()}
    assert len(NAMES) == 7
    for name in NAMES:
        assert (found[name].status, found[name].distribution) == ("ok", "seqgen-cells")


@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_promises(check: ArchitectureCheck) -> None:
    check.run()


def numbers(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(4))


def outputs_of(layer: Layer, x: torch.Tensor) -> torch.Tensor:
    return layer(x, None, layer.fresh(x.shape[1]))[0]


def filled(layer: Layer) -> Layer:
    """Return the layer with random numbers in every weight, also in gains and biases."""
    with torch.no_grad():
        for number, weight in enumerate(layer.parameters()):
            weight.copy_(0.5 * torch.randn(weight.shape, generator=seeded(number)))
    return layer.eval()


def seeded(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


@torch.no_grad()
def test_a_peephole_lstm_without_peepholes_is_the_lstm_of_the_core() -> None:
    core, cell = filled(ResetLSTM(INPUTS, HIDDEN)), PeepholeLSTM(INPUTS, HIDDEN)
    cell.weight_x.copy_(core.weight_ih)
    cell.weight_h.copy_(core.weight_hh)
    cell.bias.copy_(core.bias)
    x = numbers(STEPS, LANES, INPUTS)
    torch.testing.assert_close(outputs_of(cell, x), outputs_of(core, x), atol=1e-6, rtol=0)
    cell.peepholes.fill_(1.0)
    assert not torch.allclose(outputs_of(cell, x), outputs_of(core, x), atol=1e-3)


@torch.no_grad()
def test_a_mogrifier_whose_gates_are_one_is_the_lstm_of_the_core() -> None:
    core, cell = filled(ResetLSTM(INPUTS, HIDDEN)), MogrifierLSTM(INPUTS, HIDDEN)
    cell.weight.copy_(torch.cat([core.weight_ih, core.weight_hh], 1))
    cell.bias.copy_(core.bias)
    for matrix in cell.mogrify:
        matrix.zero_()
    x = numbers(STEPS, LANES, INPUTS)
    torch.testing.assert_close(outputs_of(cell, x), outputs_of(core, x), atol=1e-6, rtol=0)


def gates(pre: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Return input, forget and output gate and the new values of an LSTM."""
    i, f, g, o = pre.chunk(4)
    return torch.sigmoid(i), torch.sigmoid(f), torch.sigmoid(o), torch.tanh(g)


def stepped(layer: Layer, step, *state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the outputs of a layer for one sequence, and those of a reference step by step."""
    x, rows = numbers(STEPS, 1, INPUTS), []
    for row in x[:, 0]:
        state = step(row, *state)
        rows.append(state[0])
    return outputs_of(layer, x)[:, 0], torch.stack(rows)


ZERO = torch.zeros(HIDDEN)


@torch.no_grad()
def test_gru_equals_its_equations() -> None:
    layer = filled(GRU(INPUTS, HIDDEN))
    w_x, w_h, b_x, b_h = layer.gru.parameters()

    def step(x, h):
        (r_x, z_x, n_x), (r_h, z_h, n_h) = (w_x @ x + b_x).chunk(3), (w_h @ h + b_h).chunk(3)
        z = torch.sigmoid(z_x + z_h)
        return ((1 - z) * torch.tanh(n_x + torch.sigmoid(r_x + r_h) * n_h) + z * h,)

    torch.testing.assert_close(*stepped(layer, step, ZERO), atol=1e-6, rtol=0)


@torch.no_grad()
def test_projection_equals_its_equations() -> None:
    layer = filled(ProjectionLSTM(INPUTS, HIDDEN))
    w_x, w_h, b_x, b_h, w_p = layer.lstm.parameters()

    def step(x, h, c):
        i, f, o, g = gates(w_x @ x + b_x + w_h @ h + b_h)
        c = f * c + i * g
        return w_p @ (o * torch.tanh(c)), c

    zeros = torch.zeros(2 * HIDDEN)
    torch.testing.assert_close(*stepped(layer, step, ZERO, zeros), atol=1e-6, rtol=0)


@torch.no_grad()
def test_peephole_equals_its_equations() -> None:
    layer = filled(PeepholeLSTM(INPUTS, HIDDEN))

    def step(x, h, c):
        i, f, g, o = (layer.weight_x @ x + layer.weight_h @ h + layer.bias).chunk(4)
        see = layer.peepholes
        new = torch.sigmoid(f + see[1] * c) * c + torch.sigmoid(i + see[0] * c) * torch.tanh(g)
        return torch.sigmoid(o + see[2] * new) * torch.tanh(new), new

    torch.testing.assert_close(*stepped(layer, step, ZERO, ZERO), atol=1e-6, rtol=0)


@torch.no_grad()
def test_layernorm_equals_its_equations() -> None:
    layer = filled(LayerNormLSTM(INPUTS, HIDDEN))

    def normal(x):
        return (x - x.mean()) / (x.var(unbiased=False) + 1e-5).sqrt()

    def step(x, h, c):
        given = layer.gain_x * normal(layer.weight_x @ x)
        i, f, o, g = gates(given + layer.gain_h * normal(layer.weight_h @ h) + layer.bias)
        c = f * c + i * g
        return o * torch.tanh(layer.gain_c * normal(c) + layer.bias_c), c

    torch.testing.assert_close(*stepped(layer, step, ZERO, ZERO), atol=1e-5, rtol=0)


@torch.no_grad()
def test_mogrifier_equals_its_equations() -> None:
    layer = filled(MogrifierLSTM(INPUTS, HIDDEN))
    q1, r2, q3, r4, q5 = layer.mogrify

    def step(x, h, c):
        x = 2 * torch.sigmoid(q1 @ h) * x
        h = 2 * torch.sigmoid(r2 @ x) * h
        x = 2 * torch.sigmoid(q3 @ h) * x
        h = 2 * torch.sigmoid(r4 @ x) * h
        x = 2 * torch.sigmoid(q5 @ h) * x
        w_x, w_h = layer.weight.split([INPUTS, HIDDEN], 1)
        i, f, o, g = gates(w_x @ x + w_h @ h + layer.bias)
        c = f * c + i * g
        return o * torch.tanh(c), c

    torch.testing.assert_close(*stepped(layer, step, ZERO, ZERO), atol=1e-6, rtol=0)


@torch.no_grad()
def test_multiplicative_equals_its_equations() -> None:
    layer = filled(MultiplicativeLSTM(INPUTS, HIDDEN))
    w_x, w_mx = layer.weight_x.split([4 * HIDDEN, HIDDEN])
    b, b_m = layer.bias.split([4 * HIDDEN, HIDDEN])

    def step(x, h, c):
        m = (w_mx @ x + b_m) * (layer.weight_h @ h)
        i, f, o, g = gates(w_x @ x + layer.weight_m @ m + b)
        c = f * c + i * g
        return o * torch.tanh(c), c

    torch.testing.assert_close(*stepped(layer, step, ZERO, ZERO), atol=1e-6, rtol=0)


@torch.no_grad()
def test_slstm_equals_its_equations_without_a_stabiliser() -> None:
    layer = filled(SLSTM(INPUTS, HIDDEN))

    def step(x, h, c, n):
        i, f, z, o = (layer.weight_x @ x + layer.weight_h @ h + layer.bias).chunk(4)
        c = torch.sigmoid(f) * c + torch.exp(i) * torch.tanh(z)
        n = torch.sigmoid(f) * n + torch.exp(i)
        return torch.sigmoid(o) * c / n, c, n

    x, state, rows = numbers(STEPS, 1, INPUTS), (ZERO,) * 3, []
    for row in x[:, 0]:
        state = step(row, *state)
        rows.append(state[0])
    torch.testing.assert_close(outputs_of(layer, x)[:, 0], torch.stack(rows), atol=1e-5, rtol=0)


def test_the_exponential_gates_of_slstm_do_not_overflow() -> None:
    layer = SLSTM(INPUTS, HIDDEN)
    with torch.no_grad():
        layer.bias[:HIDDEN] = torch.linspace(-2_000, 2_000, HIDDEN)
    outputs = outputs_of(layer, numbers(STEPS, LANES, INPUTS))
    outputs.sum().backward()
    assert outputs.isfinite().all()
    assert all(weight.grad.isfinite().all() for weight in layer.parameters())


def small(name: str) -> ModelConfig:
    return ModelConfig(name, hidden=16, embedding=8, layers=2, dropout=0.2)


@pytest.fixture(scope="module", params=NAMES)
def singer(request, chorales, tmp_path_factory) -> Run:
    """A network of each cell that has seen a few chorales."""
    folder = tmp_path_factory.mktemp(request.param) / "run"
    config = TrainConfig(tokens=4_000, batch_size=4, window=32, evaluations=1, device="cpu")
    run = seqgen.create_run(folder, chorales.corpus(), small(request.param), config)
    for report in seqgen.train(run, run.corpus()):
        assert math.isfinite(report.loss)
    return seqgen.load(folder, "cpu")


def test_it_writes_under_a_tracker_alone_with_candidates_and_in_a_beam(singer: Run) -> None:
    limit = LimitConfig(length=24)
    alone, together = (
        [new.ids.tolist() for new in seqgen.generate(singer, 3, limit=limit, batch_size=batch)]
        for batch in (1, 3)
    )
    assert [len(ids) for ids in alone] == [len(ids) for ids in together]
    [guided] = seqgen.generate(singer, 1, limit=limit, candidates=3)
    [best] = seqgen.search(singer, limit=limit, width=3)
    for ids in (*alone, *together, guided.ids.tolist(), best.ids.tolist()):
        tracker = singer.codec.tracker()
        for token in ids:
            allowed = tracker.allowed()
            assert allowed is None or allowed[token]
            tracker.push(token)


def test_a_primed_state_survives_its_file(singer: Run, chorales, tmp_path: Path) -> None:
    piece = singer.codec.decode(chorales.corpus().piece(0)[:40])
    primed = seqgen.prime(singer, piece)
    primed.save(tmp_path / "primed")
    limit = LimitConfig(length=60)
    one, two = (
        [new.ids.tolist() for new in seqgen.generate(singer, 2, prompt=prompt, limit=limit)]
        for prompt in (primed, seqgen.Primed.load(tmp_path / "primed"))
    )
    assert one == two


def test_scores_are_finite_also_of_a_model_that_learns(singer: Run, chorales) -> None:
    piece = singer.codec.decode(chorales.corpus().piece(0)[:80])
    [plain], [adaptive] = (
        list(way(singer, [piece])) for way in (seqgen.score, seqgen.score_adaptively)
    )
    assert math.isfinite(plain.nats) and math.isfinite(adaptive.nats)
    assert plain.tokens == adaptive.tokens > 0


@pytest.mark.parametrize("name", ["gru", "slstm"])
def test_a_killed_training_ends_as_the_unbroken_one(
    name: str, corpus, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr("seqgen.training.loop.REPORT_EVERY", 0.0)
    config = TrainConfig(
        tokens=1_500, batch_size=4, window=16, evaluations=2, device="cpu", checkpoint=0
    )
    run = seqgen.create_run(tmp_path / "unbroken", corpus, small(name), config)
    for number, report in enumerate(seqgen.train(run, corpus)):
        if number in (0, 7, 15):
            shutil.copytree(run.folder, tmp_path / f"killed at {report.step}")
    unbroken = (run.folder / "model.safetensors").read_bytes()
    killed = sorted(tmp_path.glob("killed*"))
    assert len(killed) == 3
    for folder in killed:
        list(seqgen.train(Run(folder, "cpu"), corpus))
        assert (folder / "model.safetensors").read_bytes() == unbroken


def test_the_command_trains_describes_and_writes(
    verses: Path, tmp_path: Path, seqgen_command
) -> None:
    folder = tmp_path / "run"
    options = ["--architecture", "gru", "--hidden", 16, "--tokens", 2_000, "--device", "cpu"]
    status, _, error = seqgen_command("train", "text", verses, "--out", folder, *options)
    assert status == 0, error
    assert "architecture gru" in seqgen_command("info", folder)[1]
    assert "seqgen-cells 0.1.0" in seqgen_command("info", folder)[1]
    assert seqgen_command("generate", folder, "--length", 20)[0] == 0
    status, _, error = seqgen_command("generate", folder, "--int8", "--length", 20)
    assert status == 2 and "leave int8 out" in error


def test_fine_tuning_keeps_the_architecture(corpus, tmp_path: Path) -> None:
    config = TrainConfig(tokens=500, batch_size=4, window=16, evaluations=1, device="cpu")
    run = seqgen.create_run(tmp_path / "one", corpus, small("gru"), config)
    for _ in itertools.islice(seqgen.train(run, corpus), 100):
        pass
    other = seqgen.write_corpus(tmp_path / "other", "text", {"train": ["zebra crossing " * 20]})
    tuned = seqgen.create_run(tmp_path / "two", other, train=config, start=run)
    assert tuned.model_config.architecture == "gru"
    for name, value in run.model.layers.state_dict().items():
        assert torch.equal(value, tuned.model.layers.state_dict()[name])
    list(seqgen.train(tuned, other))
