"""The LSTM against a small Transformer on Tiny Shakespeare, at equal minutes on the same cores.

Both have the same split as in `tinyshakespeare`: 90 % to train on, 5 % for validation and 5 % as
test. Both train anew for each budget, because their learning rates end with it. Both keep the best
of ten evaluations on the validation text, and a temperature that is fitted to it.

The Transformer is that of nanoGPT's recipe for a computer without a GPU: 4 layers, 4 heads, 128
units, contexts of 64 characters, batches of 12, no dropout, AdamW with a peak of 1e-3, warm-up and
cosine decay to a tenth, eager PyTorch (nanoGPT, ``config/train_shakespeare_char.py`` and README).
Only the number of updates is ours: its schedule ends with the time. ``steep`` is the same with
three times the learning rate, and ``wide`` has 256 units, contexts of 128 and dropout 0.1. Of
several recipes the one with the lowest validation loss is the baseline.

Where the two differ, the Transformer has the advantage: its clock stands still during evaluations,
which take part of the LSTM's time, and it reads the test text in windows of which only the last
eighth counts. The LSTM reads that text once, with carried state.

``--plot NAME.svg`` draws the test losses over minutes.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch
from characters import losses
from harness import Benchmark
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional as F

EVALUATIONS = 10

#: Temperatures of which the validation text chooses one.
TEMPERATURES = np.linspace(0.8, 1.4, 31).round(2)

#: Characters at the end of a window that count, as a share: in training, and in the end.
ROUGH, FINE = 2, 8


@dataclass(frozen=True)
class Recipe:
    """Size and training of a Transformer; names and values as in nanoGPT."""

    layers: int = 4
    heads: int = 4
    units: int = 128
    context: int = 64
    batch: int = 12
    dropout: float = 0.0
    peak: float = 1e-3
    lowest: float = 1e-4
    warm_up: int = 100
    decay: float = 0.1
    clip: float = 1.0
    betas: tuple[float, float] = (0.9, 0.99)


RECIPES = {
    "cpu": Recipe(),
    "steep": Recipe(peak=3e-3, lowest=3e-4),
    "wide": Recipe(units=256, context=128, dropout=0.1),
}


class Block(nn.Module):
    """Causal self-attention and a network of two layers, each after a layer norm."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        units = recipe.units
        self.heads, self.dropout = recipe.heads, recipe.dropout
        self.before_attention = nn.LayerNorm(units, bias=False)
        self.attend = nn.Linear(units, 3 * units, bias=False)
        self.join = nn.Linear(units, units, bias=False)
        self.before_hidden = nn.LayerNorm(units, bias=False)
        self.hidden = nn.Linear(units, 4 * units, bias=False)
        self.out = nn.Linear(4 * units, units, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the new activations (B, T, H) of activations (B, T, H)."""
        batch, length, units = x.shape
        split = self.attend(self.before_attention(x)).view(batch, length, 3, self.heads, -1)
        query, key, value = split.permute(2, 0, 3, 1, 4)  # (B, T, 3, N, H/N) -> 3 x (B, N, T, H/N)
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout, is_causal=True)
        mixed = mixed.transpose(1, 2).reshape(batch, length, units)  # (B, N, T, H/N) -> (B, T, H)
        x = x + F.dropout(self.join(mixed), self.dropout, self.training)
        inner = F.gelu(self.hidden(self.before_hidden(x)))  # (B, T, H) -> (B, T, 4H)
        return x + F.dropout(self.out(inner), self.dropout, self.training)


class Transformer(nn.Module):
    """A language model of characters; its output matrix is its embedding."""

    def __init__(self, recipe: Recipe, size: int) -> None:
        super().__init__()
        self.recipe = recipe
        self.tokens = nn.Embedding(size, recipe.units)
        self.positions = nn.Embedding(recipe.context, recipe.units)
        self.blocks = nn.ModuleList(Block(recipe) for _ in range(recipe.layers))
        self.norm = nn.LayerNorm(recipe.units, bias=False)
        for name, weights in self.named_parameters():
            if weights.dim() == 2:
                last = name.endswith(("join.weight", "out.weight"))
                deviation = 0.02 / math.sqrt(2 * recipe.layers) if last else 0.02
                nn.init.normal_(weights, std=deviation)

    def forward(self, ids: Tensor) -> Tensor:
        """Return the logits (B, T, V) of the ids that follow ids (B, T)."""
        places = torch.arange(ids.shape[1])
        x = self.tokens(ids) + self.positions(places)  # (B, T) -> (B, T, H)
        x = F.dropout(x, self.recipe.dropout, self.training)
        for block in self.blocks:
            x = block(x)
        return F.linear(self.norm(x), self.tokens.weight)  # (B, T, H) -> (B, T, V)

    @torch.no_grad()
    def losses(
        self, ids: Tensor, share: int, temperatures: Sequence[float] = (1.0,)
    ) -> list[float]:
        """Return nats per character of a text, an int64 tensor (N,), without its first.

        Parameters
        ----------
        ids : Tensor
        share : int
            All windows but the first count their last ``1 / share`` only.
        temperatures : sequence of float
            There is a loss for each.
        """
        self.eval()
        context = self.recipe.context
        stride, nats = context // share, np.zeros(len(temperatures))
        starts = torch.arange(0, max(len(ids) - 1 - (context - stride), 1), stride)
        for begins in starts.split(64):
            places = begins[:, None] + torch.arange(context + 1)  # (B, T + 1)
            window = ids[places.clamp(max=len(ids) - 1)]
            counted = places[:, 1:] < len(ids)  # (B, T)
            counted[begins > 0, : context - stride] = False  # windows before have read these
            logits = self(window[:, :-1])[counted]  # (B, T, V) -> (N, V)
            targets = window[:, 1:][counted]
            nats += [
                float(F.cross_entropy(logits / each, targets, reduction="sum"))
                for each in temperatures
            ]
        self.train()
        return (nats / (len(ids) - 1)).tolist()


def optimizer_of(model: Transformer) -> torch.optim.AdamW:
    """Return AdamW that decays matrices and no vectors."""
    recipe = model.recipe
    matrices = [each for each in model.parameters() if each.dim() == 2]
    vectors = [each for each in model.parameters() if each.dim() < 2]
    groups = [
        {"params": matrices, "weight_decay": recipe.decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.peak, betas=recipe.betas)


def learning_rate(recipe: Recipe, step: int, fraction: float) -> float:
    """Return the learning rate: linear warm-up by steps, then cosine decay by time."""
    if step < recipe.warm_up:
        return recipe.peak * (step + 1) / (recipe.warm_up + 1)
    share = 0.5 * (1 + math.cos(math.pi * min(fraction, 1.0)))
    return recipe.lowest + share * (recipe.peak - recipe.lowest)


def train_transformer(
    benchmark: Benchmark, minutes: float, recipe: Recipe, ids: Mapping[str, Tensor], size: int
) -> dict[str, Any]:
    """Train a Transformer for some minutes without evaluations; return its losses."""
    torch.manual_seed(benchmark.seed)
    random = np.random.default_rng(benchmark.seed)
    model = Transformer(recipe, size)
    optimizer = optimizer_of(model)
    best, kept = math.inf, copy.deepcopy(model.state_dict())
    began, step, evaluations, fraction = time.perf_counter(), 0, 0, 0.0
    while fraction < 1:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(recipe, step, fraction)
        update(model, optimizer, ids["train"], random)
        step += 1
        fraction = (time.perf_counter() - began) / (60 * minutes)
        if fraction >= (evaluations + 1) / EVALUATIONS:
            paused = time.perf_counter()
            evaluations += 1
            [valid] = model.losses(ids["valid"], ROUGH)
            benchmark.say(f"Transformer {60 * minutes * fraction:6.0f} s  valid {valid:.4f}")
            if valid < best:
                best, kept = valid, copy.deepcopy(model.state_dict())
            began += time.perf_counter() - paused
    model.load_state_dict(kept)
    tried = model.losses(ids["valid"], ROUGH, TEMPERATURES)
    temperature = float(TEMPERATURES[int(np.argmin(tried))])
    return {
        "test": model.losses(ids["test"], FINE, [temperature])[0],
        "valid": min(tried),
        "temperature": temperature,
        "steps": step,
        "tokens": step * recipe.batch * recipe.context,
        "weights": sum(each.numel() for each in model.parameters()),
    }


def update(
    model: Transformer, optimizer: torch.optim.Optimizer, ids: Tensor, random: np.random.Generator
) -> None:
    """Learn from a batch of random windows of a text (N,)."""
    recipe = model.recipe
    begins = random.integers(len(ids) - recipe.context, size=recipe.batch)
    window = ids[torch.from_numpy(begins)[:, None] + torch.arange(recipe.context + 1)]  # (B, T + 1)
    loss = F.cross_entropy(model(window[:, :-1]).flatten(0, 1), window[:, 1:].flatten())
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
    optimizer.step()


def draw(rows: Sequence[Mapping[str, Any]], counts: tuple[str, float], path: Path) -> None:
    """Draw the test losses over minutes; the same losses give the same bytes."""
    minutes = [row["minutes"] for row in rows]
    lines = {"seqgen, LSTM": [row["lstm"]["static"] for row in rows]}
    for name in rows[0]["transformers"]:
        lines[f"Transformer, recipe {name}"] = [row["transformers"][name]["test"] for row in rows]
    figure = Figure(figsize=(7.0, 4.0), layout="constrained")
    axes = figure.subplots()
    styles = zip(("o", "s", "^", "v"), ("#d55e00", "#0072b2", "#56b4e9", "#009e73"), strict=True)
    for (name, series), (marker, color) in zip(lines.items(), styles, strict=False):
        axes.plot(minutes, series, label=name, marker=marker, color=color)
        for place in zip(minutes, series, strict=True):
            axes.annotate(f"{place[1]:.2f}", place, xytext=(0, 7), textcoords="offset points")
    axes.axhline(counts[1], label=counts[0], color="#888888", linestyle="--")
    axes.set(xlabel="minutes of training", ylabel="test loss (nats per character)", xscale="log")
    axes.set_xticks(minutes, [f"{each:g}" for each in minutes])
    axes.minorticks_off()
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    with matplotlib.rc_context({"svg.hashsalt": "seqgen"}):
        figure.savefig(path, metadata={"Date": None})


def compare(
    benchmark: Benchmark, minutes: float, texts: Mapping[str, str], recipes: Sequence[str]
) -> dict[str, Any]:
    """Train all models for some minutes; return their losses."""
    symbols = {symbol: number for number, symbol in enumerate(sorted(set("".join(texts.values()))))}
    ids = {name: torch.tensor([symbols[each] for each in text]) for name, text in texts.items()}
    found = {
        name: train_transformer(benchmark, minutes, RECIPES[name], ids, len(symbols))
        for name in recipes
    }
    ours = losses(benchmark, texts, minutes)
    tests = ", ".join(f"{name} {each['test']:.4f}" for name, each in found.items())
    benchmark.say(f"{minutes:g} minutes: LSTM {ours['static']:.4f}, Transformer {tests}")
    return {"minutes": minutes, "lstm": ours, "transformers": found}


def main() -> None:
    options: dict[str, Any] = {
        "budgets": {"type": float, "nargs": "+", "help": "several training times, in minutes"},
        "recipes": {"choices": RECIPES, "nargs": "+", "default": ["cpu"], "help": "Transformers"},
        "plot": {"type": Path, "help": "SVG file to draw"},
    }
    benchmark = Benchmark("against_transformer", "nats per character, test", 10.0, options)
    text = (benchmark.data / "text/tinyshakespeare/input.txt").read_text("utf-8")
    trained, chosen = int(0.9 * len(text)), int(0.95 * len(text))
    texts = {"train": text[:trained], "valid": text[trained:chosen], "test": text[chosen:]}
    budgets = sorted(benchmark.given.budgets or [benchmark.minutes])
    rows = [compare(benchmark, each, texts, benchmark.given.recipes) for each in budgets]
    longest = rows[-1]
    name, best = min(longest["transformers"].items(), key=lambda item: item[1]["valid"])
    [counts] = longest["lstm"]["baselines"].items()
    if benchmark.given.plot is not None:
        draw(rows, counts, benchmark.given.plot)
    baselines = {f"Transformer, recipe {name}": best["test"], counts[0]: counts[1]}
    benchmark.finish(longest["lstm"]["static"], baselines, rows=rows)


if __name__ == "__main__":
    main()
