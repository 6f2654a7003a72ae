"""Bars that a model of chorales rewrites: what it makes of the bars that follow them.

Trains on the chorales of music21. In held-out pieces the bars 5 to 8 are a gap, or bar 8 alone, and
two bars follow. By Bayes,

    log p(gap | left, right) = log p(gap | left) + log p(right | left, gap) - log p(right | left),

where the last term is a sum over all gaps. Sequential Monte Carlo underestimates it; with the real
bars among the candidates (conditional sequential Monte Carlo) it is overestimated. So there are two
bounds of the nats a note of the real bars. The figure is the cautious one for four bars, as a share
of the nats that the model needs when it sees the left side only.

Then the gaps of four bars are written with several numbers of candidates and the default sampler.
One candidate does not know what follows. The measures of the new bars stand beside those of Bach's.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from harness import Benchmark
from numpy.typing import NDArray
from seqgen_music.codecs.chorale.grammar import NO_LIMITS, ChoraleRequest
from seqgen_music.codecs.chorale.layout import PARTS
from seqgen_music.codecs.chorale.parallels import parallels
from seqgen_music.codecs.chorale.raster import REST, STEPS, Raster, raster_of
from seqgen_music.codecs.chorale.tracker import ChoraleTracker
from seqgen_music.measures.voice_leading import on_chord
from seqgen_music.music import Music

import seqgen
from seqgen.generation.candidates import are_worn, resampled
from seqgen.generation.pieces import Draft
from seqgen.generation.writer import Writer
from seqgen.stepping.stepper import choose_stepper

#: First and last bar of each gap; bars that follow.
SPANS, AFTER = ((5, 8), (8, 8)), 2

#: Pieces, and candidates for the estimates of likelihood.
PIECES, PARTICLES = 24, 128

#: Candidates for new bars, one setting after another.
CANDIDATES = (1, 32, 128)

#: A leap across the seam: more than a fourth.
LEAP = 5


class Gap(NamedTuple):
    """A test piece with its gap.

    Attributes
    ----------
    piece : Music
    ids : int64 array (N,)
    start, stop, end : int
        First token of the gap, the first one after it, and the first one that no longer counts.
    header : int
        Number of tokens before the first step.
    """

    piece: Music
    ids: NDArray[np.int64]
    start: int
    stop: int
    end: int
    header: int

    @property
    def steps(self) -> tuple[int, int]:
        """The first step of the gap, and the first one after it."""
        return (self.start - self.header) // PARTS, (self.stop - self.header) // PARTS


def gaps_of(run: seqgen.Run, corpus: seqgen.Corpus, span: tuple[int, int]) -> list[Gap]:
    """Return held-out pieces that are long enough, up to `PIECES`: first those of the test."""
    found, codec = [], run.codec
    for segment in (*corpus.segments("test"), *corpus.segments("valid")):
        ids = np.asarray(corpus.piece(segment.piece), np.int64)
        raster = codec.raster(ids)
        bars = np.array([span[0] - 1, span[1], span[1] + AFTER])
        steps = bars * codec.layout.bar(raster.metre) + raster.upbeat
        header = codec.layout.header_size(ids)
        start, stop, end = (header + PARTS * steps).tolist()
        if end <= len(ids):
            found.append(Gap(codec.decode(ids[:end]), ids[:end], start, stop, end, header))
    return found[:PIECES]


def tracker_of(run: seqgen.Run, gap: Gap, ids: NDArray[np.int64], *, free: bool) -> ChoraleTracker:
    """Return a tracker that forces all of some ids, or all but the gap; it knows no limits."""
    codec, header = run.codec, gap.header
    steps = (len(ids) - header) // PARTS
    cells = np.zeros((PARTS, steps), bool)
    if free:
        cells[:, slice(*gap.steps)] = True
    voices = dict(enumerate(ids[header:].reshape(-1, PARTS).T.tolist()))
    request = ChoraleRequest(ids[:header].tolist(), voices, cells, steps)
    return ChoraleTracker(codec._grammar, NO_LIMITS, request)


def writer_of(run: seqgen.Run, lanes: int, seed: int) -> Writer:
    """Return a writer that draws from the model as it is."""
    sample = seqgen.SampleConfig(temperature=1.0, min_p=0.0)
    limit = seqgen.LimitConfig(length=float("inf"))
    return Writer(choose_stepper(run, lanes), run, None, None, sample, limit, (), seed)


def likelihoods(run: seqgen.Run, gaps: Sequence[Gap], ids: Sequence[Any]) -> NDArray[np.float64]:
    """Return the nats of the gap and of what follows it ``(2, P)`` in pieces of so many ids."""
    writer = writer_of(run, len(gaps), 0)
    drafts = [writer.draft(number) for number in range(len(gaps))]
    for draft, gap, given in zip(drafts, gaps, ids, strict=True):
        draft.tracker = tracker_of(run, gap, given, free=False)
    active, state = drafts, writer.start(drafts)
    while active:  # One token a step, because each draft has rules of its own.
        step = writer.step(active, state, most=1)
        active, state = writer.going(active, step.state)
    sums = []
    for draft, gap in zip(drafts, gaps, strict=True):
        nats = -np.array(draft.log_probabilities)
        sums.append((nats[gap.start : gap.stop].sum(), nats[gap.stop : gap.end].sum()))
    return np.array(sums).T


def evidence(run: seqgen.Run, gap: Gap, seed: int, *, conditional: bool) -> float:
    """Return an estimate of the nats of what follows a gap, given what comes before.

    Parameters
    ----------
    conditional : bool
        Whether the real bars are the first candidate, which stays.
    """
    writer = writer_of(run, PARTICLES, seed)
    first = writer.draft(0)
    first.tracker = tracker_of(run, gap, gap.ids, free=True)
    state = writer.start([first])
    while first.count < gap.start:
        state = writer.step([first], state, most=1).state
    active = [first.branch(run.codec) for _ in range(PARTICLES)]
    for number, one in enumerate(active):
        one.random = np.random.Generator(np.random.Philox(key=[seed + 1, number]))
    if conditional:
        active[0].tracker = tracker_of(run, gap, gap.ids, free=False)
        for token in first.ids:
            active[0].tracker.push(token)
    state, total = writer.select(state, np.zeros(PARTICLES, np.int64)), 0.0
    weights, random = np.zeros(PARTICLES), np.random.default_rng(seed)
    while (place := active[0].count) < gap.end:
        step = writer.step(active, state, most=1)
        state = step.state
        if place >= gap.stop:
            weights += step.log_probabilities
            if are_worn(weights):
                total += np.logaddexp.reduce(weights) - np.log(PARTICLES)
                rows = chosen(weights, random, conditional=conditional)
                active = copies(run, active, rows)
                state, weights = writer.select(state, rows), np.zeros(PARTICLES)
    return -float(total + np.logaddexp.reduce(weights) - np.log(PARTICLES))


def chosen(
    weights: NDArray[np.float64], random: np.random.Generator, *, conditional: bool
) -> NDArray[np.int64]:
    """Return the rows that go on; under a condition the first stays and the others are drawn."""
    if not conditional:
        return resampled(weights, random.random())
    shares = np.exp(weights - np.logaddexp.reduce(weights))
    rows = random.choice(PARTICLES, PARTICLES, p=shares / shares.sum())
    rows[0] = 0
    return rows


def copies(run: seqgen.Run, active: list[Draft], rows: NDArray[np.int64]) -> list[Draft]:
    """Return copies of some drafts; each place keeps its random numbers."""
    found = [active[row].branch(run.codec) for row in rows.tolist()]
    for one, old in zip(found, active, strict=True):
        one.random = old.random
    return found


def judge(rasters: Sequence[Raster], gaps: Sequence[Gap]) -> dict[str, float]:
    """Return the measures of the bars in the gaps."""
    chords = quarters = moves = leaps = voices = 0
    for raster, gap in zip(rasters, gaps, strict=True):
        start, stop = gap.steps
        beats = raster.sounding[start:stop:STEPS]
        chords, quarters = chords + int(on_chord(beats).sum()), quarters + len(beats)
        moves += int(parallels(raster.sounding[start - STEPS : stop + STEPS : STEPS]).sum())
        seam = raster.sounding[stop - 1 : stop + 1]
        sung = (seam != REST).all(axis=0)
        leaps += int((np.abs(np.diff(seam, axis=0)[0]) > LEAP)[sung].sum())
        voices += int(sung.sum())
    return {
        "chords": chords / quarters,
        "parallels per 100 quarters": 100 * moves / quarters,
        "leaps at the seam": leaps / voices,
    }


def rewrite(run: seqgen.Run, gaps: Sequence[Gap], candidates: int) -> dict[str, float]:
    """Return the measures of new bars, and the nats a token of what follows them."""
    made = []
    for seed, gap in enumerate(gaps):
        kept = seqgen.Kept(gap.piece, "bars 1-4, 9-")
        [new] = seqgen.generate(run, condition=kept, candidates=candidates, seed=seed)
        made.append(new.piece)
    pairs = list(zip(made, gaps, strict=True))
    ids = [np.concatenate([gap.ids[: gap.header], steps_of(run, piece)]) for piece, gap in pairs]
    follows = likelihoods(run, gaps, ids)[1].sum() / tokens_after(gaps)
    measures = judge([raster_of(piece) for piece in made], gaps)
    return {**measures, "nats a token after": float(follows)}


def steps_of(run: seqgen.Run, piece: Music) -> NDArray[np.int64]:
    """Return the ids of a piece without its header, which may differ from that of the real one."""
    ids = run.codec.encode(piece)
    return ids[run.codec.layout.header_size(ids) :]


def tokens_after(gaps: Sequence[Gap]) -> int:
    """Return the number of tokens after the gaps that count."""
    return sum(gap.end - gap.stop for gap in gaps)


def main() -> None:
    options = {"run": {"type": Path, "help": "a trained run, in the place of training"}}
    benchmark = Benchmark("infill", "share of nats a note saved", minutes=3.0, options=options)
    corpus = seqgen.prepare("music")
    with tempfile.TemporaryDirectory() as folder:
        if benchmark.given.run is None:
            config = seqgen.TrainConfig(minutes=benchmark.minutes, seed=benchmark.seed)
            run = seqgen.create_run(Path(folder) / "run", corpus, train=config)
            for report in seqgen.train(run, corpus):
                benchmark.watch(report)
        else:
            run = seqgen.load(benchmark.given.run, "cpu")
        nats = {}
        for span in SPANS:
            gaps = gaps_of(run, corpus, span)
            nats["-".join(map(str, span))] = both_sides(run, gaps)
            benchmark.say(f"bars {span}: {nats}")
        gaps = gaps_of(run, corpus, SPANS[0])
        after = likelihoods(run, gaps, [gap.ids for gap in gaps])[1]
        bach = judge([run.codec.raster(gap.ids) for gap in gaps], gaps)
        results = {"Bach": {**bach, "nats a token after": float(after.sum() / tokens_after(gaps))}}
        for number in CANDIDATES:
            results[f"{number} candidates"] = rewrite(run, gaps, number)
            benchmark.say(f"{number} candidates: {results[f'{number} candidates']}")
    four = nats["5-8"]
    benchmark.finish(
        1 - max(four["smc"], four["conditional smc"]) / four["left"],
        baselines={"nothing": 0.0},
        pieces=len(gaps),
        nats_a_note=nats,
        **results,
    )


def both_sides(run: seqgen.Run, gaps: Sequence[Gap]) -> dict[str, float]:
    """Return the nats a note of the real bars: by the left side, and two bounds by both sides."""
    alone, after = likelihoods(run, gaps, [gap.ids for gap in gaps])
    notes = sum(notes_of(run, gap) for gap in gaps)
    found = {"notes": notes, "left": float(alone.sum() / notes)}
    for name, conditional in (("smc", False), ("conditional smc", True)):
        right = [evidence(run, gap, n, conditional=conditional) for n, gap in enumerate(gaps)]
        found[name] = float((alone + after - np.array(right)).sum() / notes)
    return found


def notes_of(run: seqgen.Run, gap: Gap) -> int:
    """Return the number of notes that begin in a gap."""
    raster = run.codec.raster(gap.ids)
    return int((raster.begins & (raster.sounding != REST))[slice(*gap.steps)].sum())


if __name__ == "__main__":
    main()
