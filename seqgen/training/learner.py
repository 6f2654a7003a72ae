"""Everything that changes in training: weights, optimizer, state, place, random numbers.

All of it can be saved and restored, so a training that was killed resumes as if it had never
stopped. Comes from: `seqgen.training.loop` calls `Learner.update` for every window.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypedDict, get_type_hints

import numpy as np
import safetensors.numpy
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqgen.bounds import Within
from seqgen.config import SHARE_DROPPED, TrainConfig
from seqgen.data.batches import FRAMINGS, Batch, TrainingStream, own_lanes
from seqgen.data.corpus import Corpus
from seqgen.errors import ConfigError, RunError
from seqgen.evaluation.loss import batch_nats
from seqgen.files import write_atomic
from seqgen.network.layers import State, restarted
from seqgen.network.model import SequenceModel
from seqgen.storage.checked_json import check, parse
from seqgen.storage.tensors import Kind, TensorFile
from seqgen.training.optimizer import Optimizer
from seqgen.training.parallel import World

#: Share of the sequences in a batch that begin a window at the start. Generation begins with
#: it. If pieces are long, a network that rarely sees it may depend on a state from long reading.
FORGETTING = 0.01

#: Dropout rises by `MORE_DROPOUT` each time that the validation loss exceeds the training loss by
#: this share of it. Twice the excess raises it twice as much.
OVERFITTING, MORE_DROPOUT = 0.5, 0.1


Number: TypeAlias = Annotated[int, Within(0, 2**62)]
Amount: TypeAlias = Annotated[float, Within(0, 1e18)]


@dataclass
class Counts:
    """The progress of a training, as plain numbers.

    Attributes
    ----------
    step, tokens : int
        Number of updates, and of targets learned from.
    seconds : float
        Time spent.
    next_evaluation : float
        Share of the budget at which the next evaluation is due.
    best : float
        Lowest validation loss so far.
    learning_rate_share : float
        Factor of the learning rate, halved whenever training diverges.
    dropout : float
        Present dropout rate.
    evaluated : int
        Value of `tokens` at the last evaluation.
    round : int
        Number of times that pieces were realigned (`seqgen.training.rounds`).
    budget : float
        Seconds to spend; 0 if there is no time budget.
    began : float
        Share of the budget that was used up before the first update, by realigning.
    """

    step: Number = 0
    tokens: Number = 0
    seconds: Amount = 0.0
    next_evaluation: Amount = 0.0
    best: float = math.inf
    learning_rate_share: Amount = 1.0
    dropout: Annotated[float, SHARE_DROPPED] = 0.0
    evaluated: Number = 0
    round: Number = 0
    budget: Amount = 0.0
    began: Annotated[float, Within(0, 1)] = 0.0


class Facts(TypedDict):
    """The metadata of a checkpoint, beside its tensors."""

    counts: dict[str, Any]
    place: dict[str, list[Number]]
    device: str
    processes: int


class Learner:
    """A model that learns from a corpus.

    Parameters
    ----------
    model : SequenceModel
        Trained in place, on the device where it is.
    corpus : Corpus
        Its training split is read.
    config : TrainConfig
        With nothing left open.
    world : World
        The processes that train together.

    Attributes
    ----------
    counts : Counts
    ending : bool
        Whether the user wants the training to end; one more evaluation follows.
    """

    def __init__(
        self,
        model: SequenceModel,
        corpus: Corpus,
        config: TrainConfig,
        world: World = World(),  # noqa: B008
    ) -> None:
        decay = config.weight_decay
        if not (config.batch_size and config.window and config.learning_rate) or decay is None:
            raise ConfigError(
                f"batch size {config.batch_size}, window {config.window}, "
                f"learning rate {config.learning_rate}, weight decay {decay}: "
                f"all must be set here; seqgen.create_run chooses them"
            )
        # Every process draws its own dropout.
        torch.manual_seed(config.seed + world.rank)
        self.world = world
        self.ending = False
        self.model = model.train()
        self.counts = Counts(
            next_evaluation=1 / config.evaluations, dropout=model.dropout, budget=config.seconds
        )
        self.config = config
        self._corpus = corpus
        self._stream = self._stream_from(None)
        self._own = own_lanes(config.batch_size, world.rank, world.size)
        start = model.start_state(len(self._own))
        self._state = tuple(part.detach() for part in start)
        #: Sum of the training loss since the last evaluation, in nats: ().
        self._nats = torch.zeros((), device=self._device)
        self._optimizer = Optimizer(model, config)
        self._is_coarse = config.precision == "bfloat16"
        if self._is_coarse and self._device.type == "cpu" and not trains_bfloat16():
            raise ConfigError(
                "precision bfloat16: this processor cannot train with it, which takes AVX-512; "
                'choose `precision="float32"`'
            )

    def update(self, learning_rate: float) -> Tensor:
        """Learn from the next window (B, T); return the summed loss of its targets, in nats.

        With several processes it is estimated from this process's part of the batch.
        """
        batch = next(self._stream)
        self._optimizer.zero_grad()
        counted = self.world.total(batch.counted)
        nats = self._add_gradients(batch, counted) * (counted / max(batch.counted, 1))  # ()
        self.world.add_gradients(self.model, self.config.gradients == "bfloat16")
        self._optimizer.step(learning_rate * self.counts.learning_rate_share)
        self.counts.step += 1
        self.counts.tokens += counted
        self._nats += nats
        return nats

    def _add_gradients(self, batch: Batch, counted: int) -> Tensor:
        """Compute the gradients of the mean loss of `counted` targets; return the sum of the nats.

        The parts of a batch follow one after another, so that only one is in memory.
        """
        state = self._forgetful() if batch.carried else self._state  # each (L, B, ...)
        summed, states = torch.zeros((), device=self._device), []
        for own, part in batch.parts(self.config.accumulate):
            begun = tuple(each[:, own] for each in state) if batch.carried else state
            with torch.autocast(self._device.type, torch.bfloat16, enabled=self._is_coarse):
                nats, after = batch_nats(self.model, part, begun)  # (), each (L, part of B, ...)
            (nats / max(counted, 1)).backward()  # type: ignore[no-untyped-call]
            summed += nats.detach()
            states.append(after)
        if batch.carried:  # Other windows begin at zero, and may have other numbers of rows.
            self._state = tuple(torch.cat(each, 1) for each in zip(*states, strict=True))
        return summed

    @contextmanager
    def ending_on_ctrl_c(self) -> Iterator[None]:
        """Let Ctrl-C end the training with an evaluation, rather than stop the block's caller.

        An error that comes together with Ctrl-C is raised.
        """
        try:
            yield
        except KeyboardInterrupt as interruption:
            self.ending = True
            if interruption.__cause__ is not None:
                raise interruption.__cause__ from None

    def drop_more(self, valid_loss: float | None) -> str:
        """Raise the dropout if the model overfits; return a message for the user.

        All processes call this at every evaluation; only the first one has a `valid_loss`.
        """
        counts = self.counts
        loss = float(self._nats) / max(counts.tokens - counts.evaluated, 1)
        steps = int((valid_loss - loss) / (OVERFITTING * loss)) if valid_loss and loss else 0
        counts.evaluated = counts.tokens
        self._nats.zero_()
        wanted = round(counts.dropout + MORE_DROPOUT * self.world.share(steps), 2)
        most = min(wanted, self.config.most_dropout or 0.0)
        if most <= counts.dropout:
            return ""
        self.model.dropout = counts.dropout = most
        return f"the model overfits: dropout {most} from now on"

    def read_from(self, corpus: Corpus) -> None:
        """Go on with another corpus, at the same place; its pieces have the same lengths."""
        place = self._stream.place()
        self._corpus = corpus
        self._stream = self._stream_from(place)

    def _forgetful(self) -> State:
        """Return the state, each part (L, B, ...), with a few sequences at the start.

        They are the same whatever the number of processes.
        """
        rng = np.random.default_rng((self.config.seed, self.counts.step))
        kept = rng.random(self.config.batch_size) >= FORGETTING  # (B,)
        mine = kept[self._own.start : self._own.stop]
        if mine.all():
            return self._state
        forgotten = torch.from_numpy(~mine).to(self._device)  # (B,)
        start = self.model.start_state(len(mine))
        return restarted(self._state, start, forgotten, axis=1)

    def save(self, path: Path) -> None:
        """Write a checkpoint: one safetensors file, complete or not at all."""
        places: dict[str, list[int]] = {}
        for part in self.world.gather(self._stream.place()):
            places |= part
        # JSON has no infinity.
        counts = {
            name: None if value == math.inf else value for name, value in vars(self.counts).items()
        }
        facts = {"counts": counts, "place": places}
        facts |= {"device": self._device.type, "processes": self.world.size}
        tensors = {name: tensor.cpu().numpy() for name, tensor in self._tensors().items()}
        if not self.world.leads:
            return
        content = safetensors.numpy.save(tensors, {"training": json.dumps(facts, allow_nan=False)})
        write_atomic(path, content)

    def load(self, path: Path) -> None:
        """Restore what `save` wrote.

        Raises
        ------
        RunError
            If the file is damaged, belongs to another model, or was saved on another kind of
            device.
        """
        try:
            file = TensorFile(path)
            facts = parse(file.about.get("training", ""))
            check(facts, Facts)
            if facts["device"] == self._device.type:
                processes = facts["processes"]
                saved = file.read(self._kinds(file.kinds, processes))
                counts = _counts(facts["counts"])
                self._stream = self._stream_from(facts["place"])
                self.counts = counts
                self._restore(saved, processes)
        except (RuntimeError, ValueError) as error:
            raise RunError(f"{path} cannot be used to resume ({error}); delete it") from error
        if facts["device"] != self._device.type:
            raise RunError(
                f"{path} was saved on {facts['device']}, this is {self._device.type}; "
                f"resume on the same kind of device"
            )
        self.model.dropout = self.counts.dropout

    def _stream_from(self, place: dict[str, list[int]] | None) -> TrainingStream:
        config, world = self.config, self.world
        return TrainingStream(
            *(
                self._corpus,
                config.batch_size,
                config.window,
                config.seed,
                FRAMINGS[config.framing],
            ),
            rank=world.rank,
            ranks=world.size,
            place=place,
        )

    def _tensors(self) -> dict[str, Tensor]:
        """Return every tensor that training changes, by name."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        tensors |= self._optimizer.state()
        states = self.world.gather([part.cpu() for part in self._state])
        tensors["nats"] = self._nats
        for number, parts in enumerate(zip(*states, strict=True)):
            tensors[f"state.{number}"] = torch.cat(parts, 1)
        for rank, numbers in enumerate(self.world.gather(self._random())):
            tensors |= {f"random.{rank}.{name}": value for name, value in numbers.items()}
        return tensors

    def _kinds(self, found: Collection[str], processes: int) -> dict[str, Kind]:
        """Return shape and dtype of every tensor of `_tensors`, as some processes saved it.

        The moments of the optimizer belong to it only if `found` has any.
        """
        kinds = {
            f"model.{name}": Kind(tuple(value.shape))
            for name, value in self.model.state_dict().items()
        }
        kinds |= self._optimizer.kinds(found)
        for number, part in enumerate(self._state):
            layers, _, *sizes = part.shape
            kinds[f"state.{number}"] = Kind((layers, self.config.batch_size, *sizes))
        kinds["nats"] = Kind(())
        for rank in range(min(processes, len(found))):
            for device, numbers in self._random().items():
                kinds[f"random.{rank}.{device}"] = Kind(tuple(numbers.shape), "U8")
        return kinds

    def _random(self) -> dict[str, Tensor]:
        """Return the state of this process's random generators, by device."""
        states = {"cpu": torch.get_rng_state()}
        if self._device.type == "cuda":
            states["cuda"] = torch.cuda.get_rng_state(self._device)
        return states

    def _restore(self, saved: dict[str, NDArray[Any]], processes: int) -> None:
        tensors = {name: torch.from_numpy(np.array(value)) for name, value in saved.items()}
        weights = {
            name.removeprefix("model."): value
            for name, value in tensors.items()
            if name.startswith("model.")
        }
        self.model.load_state_dict(weights)
        self._optimizer.restore(tensors)
        self._nats = tensors["nats"].to(self._device)
        self._state = tuple(
            tensors[f"state.{number}"][:, self._own.start : self._own.stop]
            .contiguous()
            .to(self._device)
            for number in range(len(self._state))
        )
        rank, size = self.world.rank, self.world.size
        if processes != size:
            # A host was lost or came back: every process draws anew.
            seed = np.random.SeedSequence([self.config.seed, self.counts.step, size, rank])
            torch.manual_seed(int(seed.generate_state(1, np.uint64)[0]))
            return
        torch.set_rng_state(tensors[f"random.{rank}.cpu"])
        if self._device.type == "cuda":
            torch.cuda.set_rng_state(tensors[f"random.{rank}.cuda"], self._device)

    @property
    def _device(self) -> torch.device:
        return self._state[0].device


def _counts(saved: dict[str, Any]) -> Counts:
    """Return the counts of a checkpoint, each checked against its type and bounds."""
    known: dict[str, Any] = {}
    for name, hint in get_type_hints(Counts, include_extras=True).items():
        # Checkpoints of earlier versions do not say when the updates began.
        known[name] = saved.get(name, 0.0 if name == "began" else None)
        if name == "best" and known[name] is None:  # JSON has no infinity
            known[name] = math.inf
        else:
            check(known[name], hint, f"counts.{name}")
    return Counts(**known)


def trains_bfloat16() -> bool:
    """Return whether PyTorch can train an LSTM in 16 bits on this processor, fast or not."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
