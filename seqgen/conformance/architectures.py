"""Promises of an architecture: what the core, training and generation expect of a `Layer`."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from seqgen.config import ModelConfig
from seqgen.network.architectures import load_architecture
from seqgen.network.layers import Layer, State, build
from seqgen.network.model import SequenceModel
from seqgen.plugin import ArchitectureSpec
from seqgen.plugins.faults import naming_plugin_faults, reason_for
from seqgen.vocab import Vocab

#: Sequences, steps and widths that the checks use.
LANES, STEPS, INPUTS, HIDDEN = 3, 24, 12, 16

#: Largest difference between a full pass and its steps.
TOLERANCE = 1e-5

VOCAB = Vocab.of([f"t{number}" for number in range(9)])


@dataclass(frozen=True)
class Network:
    """An architecture to examine.

    Attributes
    ----------
    spec : ArchitectureSpec
    layer : type
    """

    spec: ArchitectureSpec
    layer: type[Layer]

    def build(self, inputs: int = INPUTS, hidden: int = HIDDEN) -> Layer:
        """Build a layer, always with the same random numbers."""
        torch.manual_seed(1)
        return build(self.layer, inputs, hidden)

    def model(self) -> SequenceModel:
        """Build a network of two layers, always with the same random numbers."""
        torch.manual_seed(1)
        config = ModelConfig(self.spec.name, layers=2, hidden=HIDDEN, embedding=INPUTS, dropout=0.0)
        return SequenceModel(config, VOCAB)


#: A check of an architecture: it raises AssertionError if it fails.
Promise: TypeAlias = Callable[[Network], None]


def network_of(name: str) -> Network:
    """Return an architecture to examine.

    Raises
    ------
    PluginError
        If it cannot be loaded.
    """
    layer, found = load_architecture(name)
    assert isinstance(found.spec, ArchitectureSpec)
    return Network(found.spec, layer)


def describes_itself(network: Network) -> None:
    """The name is one lower-case word, and the summary one line."""
    spec = network.spec
    assert spec.name == spec.name.lower() and len(spec.name.split()) == 1, spec.name
    assert spec.summary and len(spec.summary.splitlines()) == 1, spec.summary


def is_built_alike(network: Network) -> None:
    """Equal seeds give equal weights; without values the shapes are the same."""
    for inputs, hidden in ((INPUTS, HIDDEN), (HIDDEN, HIDDEN), (1, 1)):
        one, other = (network.build(inputs, hidden).state_dict() for _ in range(2))
        assert one, "it has no weights"
        for name, value in one.items():
            assert torch.equal(value, other[name]), f"{name} depends on more than the seed"
        with torch.device("meta"):
            empty = build(network.layer, inputs, hidden).state_dict()
        shapes = {name: value.shape for name, value in empty.items()}
        assert shapes == {name: value.shape for name, value in one.items()}


def starts_alike(network: Network) -> None:
    """Every sequence starts with the same state, of float32 tensors ``(B, ...)``."""
    layer = network.build()
    many, one = layer.fresh(LANES), layer.fresh(1)
    assert isinstance(many, tuple) and many, f"start must return a tuple of tensors, found {many!r}"
    assert len(many) == len(one)
    for part, single in zip(many, one, strict=True):
        assert part.dtype == torch.float32, f"the state must be float32, found {part.dtype}"
        assert part.shape == (LANES, *single.shape[1:]), part.shape
        assert torch.equal(part, single.expand_as(part)), "the sequences start differently"


@torch.no_grad()
def steps_as_it_reads(network: Network) -> None:
    """A full pass gives the same outputs and states as its steps, one by one."""
    layer, x = network.build().eval(), numbers(STEPS, LANES, INPUTS)
    outputs, after = layer(x, None, layer.fresh(LANES))  # (T, B, H)
    state = layer.fresh(LANES)
    for at in range(STEPS):
        output, state = layer(x[at : at + 1], None, state)
        close(output[0], outputs[at], f"the output of step {at}")
    for part, whole in zip(state, after, strict=True):
        close(part, whole, "the last state")


@torch.no_grad()
def keeps_sequences_apart(network: Network) -> None:
    """What a sequence gives does not depend on the others beside it, nor on their order."""
    layer, x = network.build().eval(), numbers(STEPS, LANES, INPUTS)
    outputs, after = layer(x, None, layer.fresh(LANES))
    rows = torch.tensor([2, 0, 0, 1])
    chosen, chosen_after = layer(x[:, rows], None, layer.fresh(len(rows)))
    close(chosen, outputs[:, rows], "the outputs of the same sequences in another order")
    for part, whole in zip(chosen_after, after, strict=True):
        close(part, whole[rows], "their state")


@torch.no_grad()
def remembers_only_its_state(network: Network) -> None:
    """The same call gives the same bits again, and leaves the state that it was given as it is."""
    layer, x = network.build().eval(), numbers(STEPS, LANES, INPUTS)
    _, state = layer(x, None, layer.fresh(LANES))
    kept = tuple(part.clone() for part in state)
    (one, _), (two, _) = (layer(x, None, state) for _ in range(2))
    assert torch.equal(one, two), "the same call gave other outputs"
    assert all(map(torch.equal, state, kept)), "the given state was changed in place"


@torch.no_grad()
def starts_anew_after_the_end(network: Network) -> None:
    """After END the state and what follows are, to the last bit, those of the start."""
    model = network.model().eval()
    ids = torch.randint(
        len(VOCAB.names), (LANES, STEPS), generator=torch.Generator().manual_seed(2)
    )
    ids[:, -1] = VOCAB.end
    _, after = model(ids)
    start = model.start_state(LANES)
    assert all(map(torch.equal, after, start)), "the state after END is not that of the start"
    assert torch.equal(model(ids, None, after)[0], model(ids, None, start)[0])
    # The first sequence ends in the middle, alone.
    ids[0, 5] = VOCAB.end
    whole, _ = model(ids)
    close(whole[:1, 6:], model(ids[:1, 6:])[0], "what follows END in the middle of a window")


def reaches_every_weight(network: Network) -> None:
    """Every weight has a gradient, of finite numbers; resuming counts on it."""
    layer, x = network.build(), numbers(STEPS, LANES, INPUTS)
    marks = torch.zeros(STEPS, LANES, 1)
    marks[4, 1] = 1
    outputs, _ = layer(x, marks, layer.fresh(LANES))
    outputs.square().sum().backward()
    for name, weight in layer.named_parameters():
        assert weight.grad is not None, f"{name} has no gradient"
        assert weight.grad.isfinite().all(), f"the gradient of {name} is not finite"


@torch.no_grad()
def stays_finite(network: Network) -> None:
    """Outputs and states stay finite over a long sequence of large inputs."""
    layer, x = network.build().eval(), 10 * numbers(200, LANES, INPUTS)
    outputs, after = layer(x, None, layer.fresh(LANES))
    assert all(part.isfinite().all() for part in (outputs, *after)), "found infinity or NaN"


def learns_and_resumes(network: Network) -> None:
    """A network learns a short sequence; training resumes to the same bits from what is saved."""
    losses = [loss for loss, *_ in _trained(network, 12)]
    assert losses[-1] < 0.95 * losses[0], f"the loss fell from {losses[0]:.3f} to {losses[-1]:.3f}"
    *_, (_, model, _, state) = _trained(network, 6)
    *_, (_, half, half_optimizer, half_state) = _trained(network, 3)
    fresh = network.model()
    fresh.load_state_dict(copy.deepcopy(half.state_dict()))
    resumed = torch.optim.AdamW(fresh.parameters(), 1e-2)
    resumed.load_state_dict(copy.deepcopy(half_optimizer.state_dict()))
    for _ in range(3):
        _, half_state = _update(fresh, resumed, half_state)
    for name, value in model.state_dict().items():
        assert torch.equal(value, fresh.state_dict()[name]), f"{name} differs after resuming"
    assert all(map(torch.equal, state, half_state)), "the state differs after resuming"


Moment: TypeAlias = tuple[float, SequenceModel, torch.optim.Optimizer, State]


def _trained(network: Network, updates: int) -> Iterator[Moment]:
    """Yield the loss, the network, the optimizer and the state after each update."""
    model = network.model()
    optimizer, state = torch.optim.AdamW(model.parameters(), 1e-2), model.start_state(LANES)
    for _ in range(updates):
        loss, state = _update(model, optimizer, state)
        yield loss, model, optimizer, state


def _update(
    model: SequenceModel, optimizer: torch.optim.Optimizer, state: State
) -> tuple[float, State]:
    """Learn a sequence that repeats and ends."""
    ids = torch.arange(STEPS + 1).remainder(VOCAB.targets).expand(LANES, -1)  # END is among them
    logits, after = model(ids[:, :-1], None, tuple(part.detach() for part in state))
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return loss.item(), tuple(part.detach() for part in after)


def numbers(*shape: int) -> Tensor:
    """Return random numbers, always the same."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(3))


def close(found: Tensor, wanted: Tensor, what: str) -> None:
    """Compare two tensors within `TOLERANCE`; infinities must be equal."""
    same = torch.isclose(found, wanted, rtol=0, atol=TOLERANCE)
    assert same.all(), f"{what} differs by {(found - wanted).abs().nan_to_num().max():.2g}"


PROMISES: tuple[Promise, ...] = (
    describes_itself,
    is_built_alike,
    starts_alike,
    steps_as_it_reads,
    keeps_sequences_apart,
    remembers_only_its_state,
    starts_anew_after_the_end,
    reaches_every_weight,
    stays_finite,
    learns_and_resumes,
)


@dataclass(frozen=True)
class ArchitectureCheck:
    """One promise, checked for an architecture."""

    architecture: str
    promise: Promise

    def run(self) -> None:
        """Run the check.

        Raises
        ------
        AssertionError
            If the promise is broken.
        PluginError
            If plugin code raises an exception that the contract does not allow.
        """
        with naming_plugin_faults():
            self.promise(network_of(self.architecture))

    def __str__(self) -> str:
        return f"{self.architecture}-{self.promise.__name__}"


def architecture_checks(name: str) -> list[ArchitectureCheck]:
    """Return all checks of an architecture.

    Raises
    ------
    PluginError
        If it cannot be loaded.
    """
    network_of(name)
    return [ArchitectureCheck(name, promise) for promise in PROMISES]


def check_architecture(name: str) -> int:
    """Run all checks of an architecture, print how many passed and return that number.

    Raises
    ------
    AssertionError
        If a check fails, with the names and reasons of all failures.
    """
    checks, failures = architecture_checks(name), []
    for check in checks:
        try:
            check.run()
        except Exception as error:
            failures.append(f"{check}: {reason_for(error)}")
    listed = "\n  ".join(failures)
    assert not failures, f"{len(failures)} of {len(checks)} checks failed:\n  {listed}"
    print(f"{len(checks)} checks of the architecture {name} passed")
    return len(checks)
