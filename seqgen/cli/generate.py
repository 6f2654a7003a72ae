"""``seqgen generate``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from seqgen.config import LimitConfig, SampleConfig
from seqgen.errors import DataError

if TYPE_CHECKING:
    from seqgen.plugin import Piece
    from seqgen.run import Run
    from seqgen.samples import Samples


def generate(
    run: Path,
    *,
    count: Annotated[int, Parameter(name=["--count", "-n"])] = 1,
    out: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None,
    prompt: Path | None = None,
    prompt_tokens: int = 0,
    format: str | None = None,
    sample: Annotated[SampleConfig, Parameter(name="*", group="Sampling")] = SampleConfig(),  # noqa: B008
    limit: Annotated[LimitConfig, Parameter(name="*", group="Limits")] = LimitConfig(),  # noqa: B008
    seed: int = 0,
    batch: int = 32,
    device: str = "auto",
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Write new pieces with a trained model.

    Parameters
    ----------
    run
        The run folder that `seqgen train` made.
    count
        How many pieces.
    out
        A new folder for them; by default the first free of RUN/samples/1, 2 ...
    prompt
        A file whose piece every new one begins with.
    prompt_tokens
        Begin with only so many of its tokens; 0 takes all.
    format
        Suffix of the files, such as .mid; by default the domain's first.
    sample
        How tokens are drawn.
    limit
        When to stop a piece that does not end by itself.
    seed
        With the number of a piece it fixes the piece.
    batch
        Pieces to write side by side; does not change them.
    device
        Where to run: cpu, cuda, mps, or auto for the best there is.
    overwrite
        Replace the folder if it is there.
    json
        Print the manifest for programs.
    """
    from seqgen.cli.console import print_json
    from seqgen.run import load
    from seqgen.samples import next_samples_folder

    loaded = load(run, device)
    samples = generate_samples(
        loaded,
        out or next_samples_folder(loaded),
        count,
        prompt=prompt,
        prompt_tokens=prompt_tokens,
        format=format,
        sample=sample,
        limit=limit,
        seed=seed,
        batch=batch,
        overwrite=overwrite,
    )
    if json:
        print_json(samples.manifest)
        return
    for path in samples.paths:
        if path.suffix == ".txt":
            print(path.read_text("utf-8"), end="\n\n")
        print(path)


def _prompt_piece(run: Run, path: Path, tokens: int) -> Piece:
    """Read the piece of a prompt file, or the beginning of it."""
    if not path.is_file():
        raise DataError(f"the prompt file {path} does not exist")
    pieces = list(run.domain.read(path))
    if len(pieces) != 1:
        raise DataError(f"the prompt file {path} holds {len(pieces)} pieces; give a file of one")
    return run.codec.decode(run.codec.encode(pieces[0])[:tokens]) if tokens else pieces[0]


def generate_samples(
    run: Run,
    folder: Path,
    count: int,
    *,
    prompt: Path | None = None,
    prompt_tokens: int = 0,
    format: str | None = None,
    sample: SampleConfig | None = None,
    limit: LimitConfig | None = None,
    seed: int = 0,
    batch: int = 32,
    overwrite: bool = False,
) -> Samples:
    """Generate, write and show how far it is."""
    from seqgen.cli.console import meter
    from seqgen.generation import generate
    from seqgen.samples import write_samples

    sample, limit = sample or SampleConfig(), limit or LimitConfig()
    settings = {
        "seed": seed,
        "prompt": None if prompt is None else str(prompt),
        "prompt_tokens": prompt_tokens,
        **asdict(sample),
        **asdict(limit),
    }
    with meter("generate") as show:

        def progress(ended: int, tokens: int) -> None:
            show(ended / count, f"{ended} of {count} pieces, {tokens:,} tokens")

        new = generate(
            run,
            count,
            prompt=None if prompt is None else _prompt_piece(run, prompt, prompt_tokens),
            sample=sample,
            limit=limit,
            seed=seed,
            batch=batch,
            progress=progress,
        )
        return write_samples(run, new, folder, format, settings=settings, overwrite=overwrite)
