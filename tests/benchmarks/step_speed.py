"""Steps per second of one sequence on one thread, drawing included: 65 tokens, 2 layers.

The baselines, in the same run: a loop over ``nn.LSTM`` in eager PyTorch, as most programs have it,
and ONNX Runtime, if it and ``onnx`` are installed (``pip install onnx onnxruntime``). The figure is
the ratio to the eager loop at 128 units. Also reported: the share of the speed at which this
machine reads as many weights; memory over ten million steps; and the loss and speed of 8-bit
weights, on a model of prose trained for ``--minutes``.
"""

from __future__ import annotations

import itertools
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from harness import Benchmark
from numba import njit
from torch import nn

import seqgen
from seqgen.drawing.direct import draw_directly
from seqgen.drawing.filters import log_softmax
from seqgen.drawing.rules import Positions, rules_for
from seqgen.network.model import SequenceModel
from seqgen.stepping.fused import FusedStepper
from seqgen.stepping.stepper import choose_stepper
from seqgen.vocab import Vocab

VOCAB = Vocab.of([f"t{token}" for token in range(64)])
LAYERS, EMBEDDING = 2, 64
STEPS = 10_000_000


def seconds_of(call: Callable[[], object], spend: float = 1.0) -> float:
    """Return the shortest time of one call, over as many calls as fit."""
    call()
    best, until = float("inf"), time.perf_counter() + spend
    while time.perf_counter() < until:
        began = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - began)
    return best


def eager(hidden: int) -> Callable[[], object]:
    """Return one step of a plain PyTorch model."""
    embedding, output = nn.Embedding(65, EMBEDDING), nn.Linear(hidden, 65)
    lstm = nn.LSTM(EMBEDDING, hidden, LAYERS, batch_first=True)
    token, state = torch.tensor([[3]]), None

    @torch.inference_mode()
    def step() -> None:
        nonlocal state, token
        above, state = lstm(embedding(token), state)
        token = torch.multinomial(torch.softmax(output(above[:, -1]), 1), 1)

    return step


def onnx(hidden: int) -> Callable[[], object] | None:
    """Return one step of the same network in ONNX Runtime, with our sampler."""
    try:
        import onnxruntime
        from onnx import TensorProto, helper, numpy_helper
    except ImportError:
        return None
    rng = np.random.default_rng(0)

    def weights(name: str, *shape: int) -> Any:
        return numpy_helper.from_array(rng.normal(0, 0.1, shape).astype(np.float32), name)

    tensors, nodes = [weights("embedding", 65, EMBEDDING)], []
    nodes.append(helper.make_node("Gather", ["embedding", "token"], ["x0"]))
    axis = numpy_helper.from_array(np.array([1]), "axis")
    tensors.append(axis)
    below = EMBEDDING
    for layer in range(LAYERS):
        tensors += [
            weights(f"w{layer}", 1, 4 * hidden, below),
            weights(f"r{layer}", 1, 4 * hidden, hidden),
            weights(f"b{layer}", 1, 8 * hidden),
        ]
        names = [f"x{layer}", f"w{layer}", f"r{layer}", f"b{layer}", "", f"h{layer}", f"c{layer}"]
        made = [f"y{layer}", f"hn{layer}", f"cn{layer}"]
        nodes.append(helper.make_node("LSTM", names, made, hidden_size=hidden))
        nodes.append(helper.make_node("Squeeze", [f"y{layer}", "axis"], [f"x{layer + 1}"]))
        below = hidden
    tensors += [weights("output", hidden, 65), weights("bias", 65)]
    nodes.append(helper.make_node("MatMul", [f"x{LAYERS}", "output"], ["products"]))
    nodes.append(helper.make_node("Add", ["products", "bias"], ["logits"]))
    single, state = TensorProto.FLOAT, [1, 1, hidden]
    inputs = [helper.make_tensor_value_info("token", TensorProto.INT64, [1, 1])]
    outputs = [helper.make_tensor_value_info("logits", single, None)]
    for kind, layer in itertools.product("hc", range(LAYERS)):
        inputs.append(helper.make_tensor_value_info(f"{kind}{layer}", single, state))
        outputs.append(helper.make_tensor_value_info(f"{kind}n{layer}", single, state))
    graph = helper.make_graph(nodes, "step", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    fed = {value.name: np.zeros((1, 1, hidden), np.float32) for value in inputs[1:]}
    fed["token"] = np.array([[3]])
    names = [value.name.replace("n", "") for value in outputs[1:]]
    rules = rules_for(seqgen.SampleConfig(), VOCAB, 100)
    allowed, random = np.ones((1, 65), bool), np.random.default_rng(0)
    factors, weights = np.exp(rules.bias), np.zeros(65)

    def step() -> None:
        logits, *states = session.run(None, fed)
        fed.update(zip(names, states, strict=True))
        given = allowed, allowed, random.random(), 1.0
        token, _ = draw_directly(logits.reshape(1, -1), 0, *given, rules, factors, weights)
        fed["token"] = np.array([[token]])

    return step


def ours(hidden: int, *, int8: bool = False) -> tuple[Callable[[], object], int, FusedStepper]:
    """Return a call of many steps, the number of steps, and the stepper."""
    config = seqgen.ModelConfig(layers=LAYERS, hidden=hidden, embedding=EMBEDDING)
    torch.manual_seed(0)
    model = SequenceModel(config, VOCAB)
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    stepper = FusedStepper(config, VOCAB, (), weights, int8=int8)
    return steps_of(stepper, VOCAB), 500, stepper


def steps_of(stepper: FusedStepper, vocab: Vocab) -> Callable[[], object]:
    """Return a call of 500 steps of one sequence that does not end."""
    rules = rules_for(seqgen.SampleConfig(ban=("<end>",)), vocab, 100)
    draws = np.random.default_rng(0).random((1, 500))
    state = stepper.start(1)

    def call() -> None:
        positions = Positions(
            np.array([vocab.start]),
            np.zeros((1, 0), np.int64),
            np.ones((1, vocab.targets), bool),
            np.ones((1, vocab.targets), bool),
            np.zeros((1, 0), np.int64),
            np.zeros(1, np.int64),
            np.zeros(1, np.int64),
        )
        stepper.write(positions, draws, rules, state)

    return call


@njit(fastmath=True)
def read_all(numbers: np.ndarray) -> float:
    """Read an array as fast as possible."""
    total = np.float32(0)
    for place in range(numbers.size):
        total += numbers[place]
    return total


def speeds(hidden: int) -> dict[str, float]:
    """Return steps per second of all contenders at one size, and the share of reading speed."""
    rates = {"eager": 1 / seconds_of(eager(hidden))}
    if (step := onnx(hidden)) is not None:
        rates["ONNX Runtime"] = 1 / seconds_of(step)
    for name, int8 in (("ours", False), ("ours, int8", True)):
        call, steps, stepper = ours(hidden, int8=int8)
        rates[name] = steps / seconds_of(call)
        if not int8:
            weights = stepper._network.weights
            share = seconds_of(lambda weights=weights: read_all(weights)) * rates[name]
    return {**rates, "share of reading speed": share}


def memory_growth() -> float:
    """Return the megabytes that ten million streamed steps add."""
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "text.txt"
        text.write_text("to be or not to be, that is the question. " * 50)
        corpus = seqgen.prepare("text", [text], Path(folder) / "corpus")
        config = seqgen.ModelConfig(hidden=16, embedding=8)
        device = seqgen.TrainConfig(device="cpu")
        run = seqgen.create_run(Path(folder) / "run", corpus, config, device)
        endless = seqgen.stream(run, sample=seqgen.SampleConfig(ban=("<end>",)))
        for _ in itertools.islice(endless, STEPS // 10):
            pass
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in itertools.islice(endless, STEPS):
            pass
        return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def cost_of_8_bits(benchmark: Benchmark) -> dict[str, float]:
    """Return the loss of a trained model with 32 and with 8 bits, on held-out prose."""
    corpus = seqgen.prepare("text", [benchmark.data / "text/tinyshakespeare/input.txt"])
    [segment] = corpus.segments("valid")
    ids = np.asarray(corpus.piece(segment.piece)[segment.start :][:20_000], np.int64)
    with tempfile.TemporaryDirectory() as folder:
        config = seqgen.TrainConfig(minutes=benchmark.minutes, seed=benchmark.seed, device="cpu")
        model = seqgen.ModelConfig(layers=LAYERS, hidden=256)
        run = seqgen.create_run(Path(folder) / "run", corpus, model, config)
        for report in seqgen.train(run, corpus):
            benchmark.watch(report)
        losses = {}
        for name, int8 in (("float32", False), ("int8", True)):
            stepper = choose_stepper(run, 1, int8=int8)
            state, nats = stepper.start(1), 0.0
            none = np.zeros((1, 1, 0), np.int64)
            for token, target in itertools.pairwise([run.vocab.start, *ids.tolist()]):
                logits, state = stepper.read(np.array([[token]]), none, state)
                nats -= float(log_softmax(logits[0])[target])
            losses[name] = nats / len(ids)
    return losses | {"cost": losses["int8"] / losses["float32"] - 1}


def main() -> None:
    benchmark = Benchmark("step_speed", "times the eager loop at 128 units", minutes=1.0)
    torch.set_num_threads(1)
    rates = {hidden: speeds(hidden) for hidden in (128, 256, 512)}
    small, large = rates[128], rates[512]
    benchmark.finish(
        small["ours"] / small["eager"],
        baselines={name: rate / small["eager"] for name, rate in small.items() if name == "eager"}
        | {"ONNX Runtime": small.get("ONNX Runtime", 0.0) / small["eager"]},
        int8=small["ours, int8"] / small["eager"],
        at_512=large["ours"] / large["eager"],
        at_512_onnx=large.get("ONNX Runtime", 0.0) / large["eager"],
        at_512_int8=large["ours, int8"] / large["eager"],
        steps_per_second=rates,
        megabytes_in_ten_million_steps=memory_growth(),
        eight_bits=cost_of_8_bits(benchmark),
    )


if __name__ == "__main__":
    main()
