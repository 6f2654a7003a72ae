"""One step of a network as an ONNX graph: ids and a state in, log-probabilities and a state out.

The operations are those of `seqgen.network.model` for the core's LSTM, written down node by node:
a graph of some forty nodes. Comes from: `seqgen.export.onnx_file`.

Shapes: B sequences, V ids read, V' ids predicted, E embedding, H hidden units, L layers, K
features, N tokens before the present one, C clusters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from seqgen.config import CONTEXTS, ModelConfig
from seqgen.network.contexts import MULTIPLIER, keys_of
from seqgen.vocab import Vocab

#: Versions of the operations and of the file format, so old that most runtimes read them.
OPERATIONS, FORMAT = 18, 8

#: Added to the variance of a layer's outputs, as PyTorch does.
EPSILON = 1e-5

FLOAT, INT, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


class Network(NamedTuple):
    """What a step is made of.

    Attributes
    ----------
    config : ModelConfig
    vocab : Vocab
    feature_sizes, boundaries, clusters : sequence of int
        As for `seqgen.network.model.SequenceModel`.
    weights : dict of str to float32 array
        By name, as in the run folder.
    has_masks : bool
        Whether the codec has a grammar: then the graph also takes which ids it allows.
    """

    config: ModelConfig
    vocab: Vocab
    feature_sizes: Sequence[int]
    boundaries: Sequence[int]
    clusters: Sequence[int]
    weights: dict[str, NDArray[np.float32]]
    has_masks: bool


class Builder:
    """Collects the nodes and the constants of a graph; values are known by their names."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}

    def constant(self, name: str, value: Any) -> str:
        """Keep an array under a name, once, and return the name."""
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.asarray(value, order="C"), name)
        return name

    def number(self, value: int) -> str:
        """Keep a whole number as a constant."""
        return self.constant(f"number_{value}", np.int64(value))

    def axis(self, number: int) -> str:
        """Keep the number of an axis as a constant (1,)."""
        return self.constant(f"axis_{number}", np.array([number]))

    def add(self, operation: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output, and return the name of the output."""
        return self.split(operation, *inputs, parts=1, **attributes)[0]

    def split(self, operation: str, *inputs: str, parts: int, **attributes: Any) -> list[str]:
        """Add a node with several outputs."""
        name = f"{operation}_{len(self.nodes)}"
        outputs = [f"{name}_{part}" if part else name for part in range(parts)]
        self.nodes.append(helper.make_node(operation, list(inputs), outputs, name, **attributes))
        return outputs


def step_model(network: Network, version: str) -> onnx.ModelProto:
    """Return one step of a network for any number of sequences B.

    Parameters
    ----------
    network : Network
    version : str
        Of seqgen.

    Returns
    -------
    ModelProto
        Its inputs are ``ids`` (B,), ``features`` (B, K) if the network has features, ``possible``
        (B, V') if the codec has a grammar, ``h`` and ``c`` (L, B, H), and ``before`` (B, N) if the
        network has tables of contexts. Its outputs are ``log_probabilities`` (B, V') and the state
        after the ids.
    """
    config, graph = network.config, Builder()
    x = _embedded(graph, network)  # (B, E)
    state = ["h", "c"]
    if config.context_rows:
        more = _context_rows(graph, network)
        x = graph.add("Add", x, more)
        state.append("before")
    top = _layers(graph, network, x)  # (B, W)
    _predicted(graph, network, top)
    kinds = _inputs(network), _outputs(network)
    made = helper.make_graph(
        graph.nodes, "step", *kinds, [*graph.constants.values()], "One step of a seqgen network"
    )
    return helper.make_model(
        made,
        opset_imports=[helper.make_opsetid("", OPERATIONS)],
        ir_version=FORMAT,
        producer_name="seqgen",
        producer_version=version,
    )


def _inputs(network: Network) -> list[Any]:
    """Return the inputs of a step, with what they mean."""
    config, vocab = network.config, network.vocab
    inputs = [_value("ids", INT, ["B"], "the last token of each sequence; at first START")]
    if network.feature_sizes:
        shape = ["B", len(network.feature_sizes)]
        inputs.append(_value("features", INT, shape, "of the token to predict, from the codec"))
    if network.has_masks:
        shape = ["B", vocab.targets]
        inputs.append(_value("possible", BOOL, shape, "tokens that the codec's grammar allows"))
    return inputs + _state(config, "")


def _outputs(network: Network) -> list[Any]:
    """Return the outputs of a step, with what they mean."""
    meaning = "of the next token, in nats, before temperature"
    found = _value("log_probabilities", FLOAT, ["B", network.vocab.targets], meaning)
    return [found, *_state(network.config, "next_")]


def _state(config: ModelConfig, prefix: str) -> list[Any]:
    shape, when = [config.layers, "B", config.hidden], "after the ids" if prefix else "at first 0"
    state = [
        _value(f"{prefix}h", FLOAT, shape, f"outputs of the layers; {when}"),
        _value(f"{prefix}c", FLOAT, shape, f"cells of the layers; {when}"),
    ]
    if config.context_rows:
        meaning = "the tokens before, from the older to the newer; V stands for none"
        state.append(_value(f"{prefix}before", INT, ["B", CONTEXTS], meaning))
    return state


def _value(name: str, kind: int, shape: list[Any], meaning: str) -> Any:
    return helper.make_tensor_value_info(name, kind, shape, meaning)


def _embedded(graph: Builder, network: Network) -> str:
    """Look up ids and features and add them: (B,) and (B, K) to (B, E)."""
    config, size = network.config, network.vocab.size
    if config.embedding:
        x = graph.add("Gather", _weight(graph, network, "embedding.weight"), "ids")
    else:
        values = graph.constant("off_and_on", np.array([0, 1], np.float32))
        x = graph.add("OneHot", "ids", graph.number(size), values)
    for number in range(len(network.feature_sizes)):
        value = graph.add("Gather", "features", graph.number(number), axis=1)  # (B,)
        table = _weight(graph, network, f"features.{number}.weight")
        x = graph.add("Add", x, graph.add("Gather", table, value))
    return x


def _context_rows(graph: Builder, network: Network) -> str:
    """Look up the contexts of ids after the tokens before them, (B, N); return their sum (B, E)."""
    vocab, rows = network.vocab, network.config.context_rows or 0
    keys = graph.constant("keys", np.array(keys_of(vocab), np.int64))  # (V + 1,)
    nothing = graph.constant("nothing", np.int64(vocab.size))
    code = _longer(graph, None, graph.add("Gather", keys, "ids"))  # (B,)
    found = ""
    for number in range(CONTEXTS):
        token = graph.add("Gather", "before", graph.number(CONTEXTS - 1 - number), axis=1)  # (B,)
        code = _longer(graph, code, graph.add("Gather", keys, token))
        row = graph.add("BitwiseAnd", code, graph.number(0x7FFFFFFFFFFFFFFF))
        row = graph.add("Mod", row, graph.number(rows))
        more = graph.add("Gather", _weight(graph, network, f"contexts.{number}.weight"), row)
        found = graph.add("Add", found, more) if found else more
    column = graph.add("Unsqueeze", "ids", graph.axis(1))  # (B, 1)
    kept = graph.add(
        "Slice",
        "before",
        graph.constant("from_second", np.array([1])),
        graph.constant("to_last", np.array([CONTEXTS])),
        graph.axis(1),
    )  # (B, N - 1)
    longer = graph.add("Concat", kept, column, axis=1)  # (B, N)
    ended = graph.add("Gather", _resets(graph, network), column)  # (B, 1)
    graph.nodes.append(helper.make_node("Where", [ended, nothing, longer], ["next_before"]))
    return found


def _longer(graph: Builder, code: str | None, key: str) -> str:
    """Return the code of a context with one more token, as `seqgen.network.contexts.longer`."""
    code = key if code is None else graph.add("Add", code, key)
    code = graph.add("Mul", code, graph.number(MULTIPLIER))
    # ONNX shifts unsigned numbers only; after the low half is cleared a division is exact.
    high = graph.add("BitwiseAnd", code, graph.number(-(1 << 32)))
    return graph.add("BitwiseXor", code, graph.add("Div", high, graph.number(1 << 32)))


def _layers(graph: Builder, network: Network, x: str) -> str:
    """Advance the layers; return what the output layer reads, (B, W)."""
    config = network.config
    ended = graph.add("Gather", _resets(graph, network), "ids")  # (B,)
    kept = graph.add("Cast", graph.add("Not", ended), to=FLOAT)
    kept = graph.add("Unsqueeze", kept, graph.axis(1))  # (B, 1)
    gain = graph.constant("gain", np.ones(config.hidden, np.float32))
    below, outputs = x, []
    states: dict[str, list[str]] = {"h": [], "c": []}
    for layer in range(config.layers):
        before = [graph.add("Gather", part, graph.number(layer)) for part in states]  # (B, H)
        after = _advanced(graph, network, layer, below, *before)
        # After END and boundaries the state is 0, in the step that reads them.
        after = [graph.add("Mul", part, kept) for part in after]
        for part, value in zip(states, after, strict=True):
            axis = graph.axis(0)
            states[part].append(graph.add("Unsqueeze", value, axis))  # (1, B, H)
        above = graph.add("LayerNormalization", after[0], gain, axis=-1, epsilon=EPSILON)
        outputs.append(above)
        below = graph.add("Concat", above, x, axis=1) if config.skip else above
    for part, values in states.items():
        graph.nodes.append(helper.make_node("Concat", values, [f"next_{part}"], axis=0))
    return graph.add("Concat", *outputs, axis=1) if config.skip else outputs[-1]


def _advanced(
    graph: Builder, network: Network, layer: int, below: str, h: str, c: str
) -> list[str]:
    """Return h and c of a layer after a step, each (B, H)."""
    into, recurrent, bias = (
        _weight(graph, network, f"layers.{layer}.{name}")
        for name in ("weight_ih", "weight_hh", "bias")
    )
    gates = graph.add("Gemm", below, into, bias, transB=1)  # (B, 4H)
    gates = graph.add("Add", gates, graph.add("Gemm", h, recurrent, transB=1))
    i, f, g, o = graph.split("Split", gates, parts=4, axis=1, num_outputs=4)  # each (B, H)
    kept = graph.add("Mul", graph.add("Sigmoid", f), c)
    added = graph.add("Mul", graph.add("Sigmoid", i), graph.add("Tanh", g))
    c = graph.add("Add", kept, added)
    h = graph.add("Mul", graph.add("Sigmoid", o), graph.add("Tanh", c))
    return [h, c]


def _predicted(graph: Builder, network: Network, top: str) -> None:
    """Turn outputs of the layers (B, W) into log-probabilities (B, V')."""
    count = network.vocab.targets
    if network.config.tied:
        top = graph.add("Gemm", top, _weight(graph, network, "project.weight"), transB=1)  # (B, E)
        ends = (graph.axis(0), graph.constant("targets", np.array([count])))
        table = graph.add("Slice", _weight(graph, network, "embedding.weight"), *ends)  # (V', E)
        bias = _weight(graph, network, "output_bias")
    else:
        table = _weight(graph, network, "output.weight")
        bias = _weight(graph, network, "output.bias")
    scores = graph.add("Gemm", top, table, bias, transB=1)  # (B, V')
    nothing = graph.constant("minus_infinity", np.float32(-np.inf))
    if network.config.output == "adaptive":
        scores = _joined(graph, network, top, scores, nothing)
    if network.has_masks:
        scores = graph.add("Where", "possible", scores, nothing)
    graph.nodes.append(helper.make_node("LogSoftmax", [scores], ["log_probabilities"], axis=1))


def _joined(graph: Builder, network: Network, top: str, scores: str, nothing: str) -> str:
    """Return logits whose softmax is the product of two choices (`Clusters.joined`)."""
    clusters = np.array(network.clusters)
    shared = graph.add("Where", "possible", scores, nothing) if network.has_masks else scores
    weight = _weight(graph, network, "clusters.weight")
    heads = graph.add("Gemm", top, weight, _weight(graph, network, "clusters.bias"), transB=1)
    zero = graph.constant("zero", np.float32(0))
    columns = graph.axis(1)
    shifts = [graph.add("Mul", graph.add("Gather", heads, graph.axis(0), axis=1), zero)]  # (B, 1)
    for cluster in range(1, network.weights["clusters.bias"].shape[0] + 1):
        ids = np.flatnonzero(clusters == cluster)
        if not len(ids):
            shifts.append(shifts[0])
            continue
        inside = graph.add("Gather", shared, graph.constant(f"cluster_{cluster}", ids), axis=1)
        highest = graph.add("ReduceMax", inside, columns, keepdims=1)  # (B, 1)
        is_empty = graph.add("Equal", highest, nothing)
        highest = graph.add("Where", is_empty, zero, highest)
        powers = graph.add("Exp", graph.add("Sub", inside, highest))
        total = graph.add("Log", graph.add("ReduceSum", powers, columns, keepdims=1))
        head = graph.constant(f"head_{cluster}", np.array([cluster - 1]))
        head = graph.add("Gather", heads, head, axis=1)  # (B, 1)
        shift = graph.add("Sub", head, graph.add("Add", total, highest))
        # A cluster without a possible id takes no part.
        shifts.append(graph.add("Where", is_empty, zero, shift))
    each = graph.add("Concat", *shifts, axis=1)  # (B, C + 1)
    of = graph.constant("clusters", clusters)  # (V',)
    return graph.add("Add", scores, graph.add("Gather", each, of, axis=1))


def _resets(graph: Builder, network: Network) -> str:
    """Return which ids reset the state, (V,)."""
    return graph.constant("resets", np.array(network.vocab.resets(network.boundaries)))


def _weight(graph: Builder, network: Network, name: str) -> str:
    """Return a weight of the network."""
    return graph.constant(name, network.weights[name])
