"""The LSTM against a small Transformer on Tiny Shakespeare, at equal minutes.

Both train for the same time on the same cores, with the same split as in `tinyshakespeare`: 90 % to
train on, 5 % for validation and 5 % as test. Of both the best of ten evaluations on the validation
text is kept. The Transformer is that of nanoGPT's recipe for a computer without a GPU: 4 layers, 4
heads, 128 units, contexts of 64 characters, batches of 12, no dropout, AdamW with a peak of 1e-3,
warm-up and cosine decay to a tenth (nanoGPT, ``config/train_shakespeare_char.py`` and README). Its
schedule ends with the time. ``--size wide`` is the same with 256 units, contexts of 128 and dropout
0.1. The Transformer reads the test text in windows that overlap by half, so that each character has
at least half a context before it; the LSTM reads it once, with carried state.
"""

from __future__ import annotations

import copy
import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from characters import losses
from harness import Benchmark
from torch import Tensor, nn
from torch.nn import functional as F

EVALUATIONS = 10

#: Characters of the validation text that an evaluation reads, as many as the engine reads.
EVALUATED = 32_768


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


RECIPES = {"cpu": Recipe(), "wide": Recipe(units=256, context=128, dropout=0.1)}


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
    def loss(self, ids: Tensor) -> float:
        """Return nats per character of a text, an int64 tensor (N,), without its first."""
        self.eval()
        context, half = self.recipe.context, self.recipe.context // 2
        nats = 0.0
        starts = torch.arange(0, max(len(ids) - 1 - half, 1), half)
        for begins in starts.split(64):
            places = begins[:, None] + torch.arange(context + 1)  # (B, T + 1)
            known = places < len(ids)
            window = ids[places.clamp(max=len(ids) - 1)]
            logits = self(window[:, :-1])
            each = F.cross_entropy(logits.flatten(0, 1), window[:, 1:].flatten(), reduction="none")
            counted = known[:, 1:].clone()
            counted[begins > 0, :half] = False  # the window before has read these
            nats += float(each[counted.flatten()].sum())
        self.train()
        return nats / (len(ids) - 1)


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
    benchmark: Benchmark, recipe: Recipe, ids: dict[str, Tensor], size: int
) -> dict[str, Any]:
    """Train a Transformer for the time of the benchmark; return its losses."""
    torch.manual_seed(benchmark.seed)
    random = np.random.default_rng(benchmark.seed)
    model = Transformer(recipe, size)
    optimizer = optimizer_of(model)
    best, kept = math.inf, copy.deepcopy(model.state_dict())
    began, step, evaluations, fraction = time.perf_counter(), 0, 0, 0.0
    while fraction < 1:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(recipe, step, fraction)
        begins = random.integers(len(ids["train"]) - recipe.context - 1, size=recipe.batch)
        places = torch.from_numpy(begins)[:, None] + torch.arange(recipe.context + 1)
        window = ids["train"][places]  # (B, T + 1)
        loss = F.cross_entropy(model(window[:, :-1]).flatten(0, 1), window[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
        optimizer.step()
        step += 1
        fraction = (time.perf_counter() - began) / (60 * benchmark.minutes)
        if fraction >= (evaluations + 1) / EVALUATIONS:
            evaluations += 1
            valid = model.loss(ids["valid"][:EVALUATED])
            benchmark.say(f"Transformer {100 * fraction:3.0f} %  valid {valid:.4f}")
            if valid < best:
                best, kept = valid, copy.deepcopy(model.state_dict())
    model.load_state_dict(kept)
    return {
        "test": model.loss(ids["test"]),
        "valid": best,
        "steps": step,
        "tokens": step * recipe.batch * recipe.context,
        "weights": sum(each.numel() for each in model.parameters()),
    }


def main() -> None:
    options: dict[str, Any] = {
        "size": {"choices": RECIPES, "default": "cpu", "help": "the Transformer's recipe"},
    }
    benchmark = Benchmark("against_transformer", "nats per character, test", 10.0, options)
    text = (benchmark.data / "text/tinyshakespeare/input.txt").read_text("utf-8")
    trained, chosen = int(0.9 * len(text)), int(0.95 * len(text))
    texts = {"train": text[:trained], "valid": text[trained:chosen], "test": text[chosen:]}
    symbols = {symbol: number for number, symbol in enumerate(sorted(set(text)))}
    ids = {name: torch.tensor([symbols[each] for each in part]) for name, part in texts.items()}
    found = train_transformer(benchmark, RECIPES[benchmark.given.size], ids, len(symbols))
    ours = losses(benchmark, texts)
    baselines = {"Transformer": found["test"], **ours["baselines"]}
    benchmark.finish(ours["static"], baselines, transformer=found, lstm=ours)


if __name__ == "__main__":
    main()
