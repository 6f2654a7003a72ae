"""One loss of a model on a text: in training, in scoring, beside the baseline, in any batch."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import seqgen
from seqgen.data import corpus as corpora
from seqgen.data import spans
from seqgen.data.rows import CodecRows, codec_rows
from seqgen.data.spans import Span, evaluated, spans_of
from seqgen.evaluation import loss as evaluation
from seqgen.evaluation.comparison import reference_pieces
from seqgen.evaluation.loss import evaluate
from seqgen.evaluation.nats import target_nats
from seqgen.evaluation.ngram import baseline
from seqgen.evaluation.scoring import score_spans
from seqgen.network.model import SequenceModel

TRAIN = seqgen.TrainConfig(tokens=3_000, batch_size=4, window=32, evaluations=1, device="cpu")
SMALL = seqgen.ModelConfig(hidden=16, embedding=8, dropout=0.0)


def trained(corpus: seqgen.Corpus, folder: Path) -> seqgen.Run:
    run = seqgen.create_run(folder / "run", corpus, SMALL, TRAIN)
    seqgen.measure_baseline(run, corpus)
    for _ in seqgen.train(run, corpus):
        pass
    return seqgen.load(run.folder, "cpu")


def text_corpus(folder: Path, length: int, files: int) -> seqgen.Corpus:
    """Return a corpus of files of so many characters, in which there is something to learn."""
    rng = np.random.default_rng(0)
    words = ["green", "bottles", "hanging", "on", "the", "wall", "and", "if", "one", "should"]
    for number in range(files):
        drawn = " ".join(rng.choice(words, length // 3))
        (folder / f"{number}.txt").write_text(drawn[:length])
    return seqgen.prepare("text", [folder], folder / "corpus")


def music_corpus(folder: Path) -> seqgen.Corpus:
    """Return three chorales, each of which is held out at its end."""
    from music21 import corpus

    bach = Path(corpus.__file__).parent / "bach"
    files = [bach / f"bwv{number}.7.mxl" for number in (10, 101, 102)]
    return seqgen.prepare("music", files, folder / "corpus")


def ink_corpus(folder: Path) -> seqgen.Corpus:
    from seqgen_handwriting.demo import demo_lines
    from seqgen_handwriting.files.json_files import as_json

    for number, line in enumerate(list(demo_lines(30))[::6]):
        (folder / f"{number}.json").write_text(as_json(line))
    options = {"draw": 60, "move": 20}
    return seqgen.prepare("handwriting", [folder], folder / "corpus", options=options)


CORPORA: dict[str, Callable[[Path], seqgen.Corpus]] = {
    "small files": lambda folder: text_corpus(folder, 120, 30),
    "one small file": lambda folder: text_corpus(folder, 3_000, 1),
    "one long file": lambda folder: text_corpus(folder, 60_000, 1),
    "ends of chorales": music_corpus,
    "ink": ink_corpus,
}


def whole_pieces(run: seqgen.Run, corpus: seqgen.Corpus) -> tuple[float, int]:
    """Return nats and targets of the validation split by reading each piece from its START."""
    nats, counted = 0.0, 0
    model = run.model.eval()
    for segment in corpus.segments("valid"):
        ids = np.asarray(corpus.piece(segment.piece), np.int64)
        features, allowed = codec_rows(run.codec, ids).cut(0, len(ids) + 1)
        read = torch.from_numpy(np.concatenate([[run.vocab.start], ids]))[None]
        with torch.no_grad():
            logits, _ = model(read, torch.from_numpy(features)[None])
        targets = torch.from_numpy(np.append(ids, run.vocab.end))
        costs = target_nats(logits[0].double(), targets, torch.from_numpy(allowed))
        # END counts where the piece ends with the part.
        stop = segment.stop + (segment.stop == len(ids))
        nats += float(costs[segment.start : stop].sum())
        counted += stop - segment.start
    return nats, counted


@pytest.mark.parametrize("name", CORPORA)
def test_training_score_and_baseline_have_one_loss_on_the_same_tokens(
    name: str, tmp_path: Path
) -> None:
    corpus = CORPORA[name](tmp_path)
    run = trained(corpus, tmp_path)
    printed = run.info["result"]["valid_loss"]
    nats, counted = whole_pieces(run, corpus)
    assert printed == pytest.approx(nats / counted, abs=1e-6)
    held_out = list(spans_of(corpus, corpus.segments("valid")))
    scored = list(score_spans(run, held_out))
    total = sum(each.nats + each.end_nats for each in scored)
    tokens = sum(each.tokens for each in scored) + sum(span.ends for span in held_out)
    assert tokens == counted and total / tokens == pytest.approx(printed, abs=1e-6)
    counts = baseline(corpus)
    by_spans = sum(sum(counts.model.span_nats(span)) for span in held_out)
    assert run.info["baseline"]["valid_loss"] == pytest.approx(by_spans / tokens, abs=1e-6)


def test_only_the_context_is_read_before_the_end_of_a_long_piece(tmp_path: Path) -> None:
    """The test above holds that the loss is that of the whole piece."""
    assert spans.CONTEXT < 0.85 * 60_000
    corpus = text_corpus(tmp_path, 60_000, 1)
    [segment] = corpus.segments("valid")
    [span] = spans_of(corpus, corpus.segments("valid"))
    assert 0 < span.before == spans.CONTEXT < segment.start


@pytest.mark.parametrize(("lanes", "window"), [(1, 256), (2, 7), (16, 5), (64, 300)])
def test_the_batch_changes_no_loss(lanes: int, window: int, run, corpus, monkeypatch) -> None:
    """463 held-out tokens; in 64 lanes that cut pieces they once had seven times the loss."""
    wanted = evaluate(run.model, corpus)
    monkeypatch.setattr(evaluation, "LANES", lanes)
    monkeypatch.setattr(evaluation, "WINDOW", window)
    assert evaluate(run.model, corpus) == pytest.approx(wanted, abs=1e-6)


def test_cut_spans_have_the_loss_of_one(run, corpus, monkeypatch) -> None:
    wanted = evaluate(run.model, corpus)
    monkeypatch.setattr(spans, "LONGEST", 20)
    assert len(evaluated(corpus)) > len(corpus.segments("valid"))
    assert evaluate(run.model, corpus) == pytest.approx(wanted, abs=1e-6)


def test_a_sample_is_always_the_same_and_of_so_many_tokens(corpus, monkeypatch) -> None:
    monkeypatch.setattr(spans, "LONGEST", 50)
    everything = {
        (segment.piece, at)
        for segment in corpus.segments("valid")
        for at in range(segment.start, segment.stop)
    }
    for most in (1, 49, 200, len(everything)):
        sample = evaluated(corpus, most)
        read = [
            (segment.piece, at) for segment in sample for at in range(segment.start, segment.stop)
        ]
        assert len(read) == len(set(read)) == most and set(read) <= everything
        again = evaluated(corpus, most)
        assert [*sample] == [*again]
    smaller, larger = (
        {(s.piece, at) for s in evaluated(corpus, most) for at in range(s.start, s.stop)}
        for most in (100, 300)
    )
    assert smaller < larger


def test_a_long_piece_is_opened_for_all_of_its_parts_at_once(tmp_path: Path, monkeypatch) -> None:
    """Its features are computed on the whole of it, which may take longer than to predict it."""
    corpus = text_corpus(tmp_path, 30_000, 4)
    monkeypatch.setattr(spans, "LONGEST", 100)
    opened = []
    real = corpora.codec_rows

    def watched(codec, ids):
        opened.append(ids[:20].tobytes())
        return real(codec, ids)

    monkeypatch.setattr(corpora, "codec_rows", watched)
    sample = evaluated(corpus, 4_000)
    parts = list(spans_of(corpus, sample))
    assert len(parts) >= 40 and sample.tokens == 4_000
    # Once for its whole parts, and at most once for the cut one.
    assert len(opened) <= len({segment.piece for segment in sample}) + 1


def test_context_is_read_and_not_counted(chorales, monkeypatch) -> None:
    corpus = chorales.corpus()
    ids = np.asarray(corpus.piece(0), np.int64)
    rows = codec_rows(chorales.codec, ids)
    span = Span(chorales.vocab, ids, rows, 100, 150)
    assert (span.before, span.ends, len(span)) == (100, 0, 150)
    [scored] = score_spans(chorales, [span])
    whole, first = seqgen.score(
        chorales, [chorales.codec.decode(ids), chorales.codec.decode(ids[:100])]
    )
    until = Span(chorales.vocab, ids, rows, 0, 150)
    before = Span(chorales.vocab, ids, rows, 0, 100)
    [longer], [shorter] = (list(score_spans(chorales, [each])) for each in (until, before))
    assert scored.nats == pytest.approx(longer.nats - shorter.nats, rel=1e-6)
    assert scored.end_nats == longer.end_nats == 0
    # Units, too, are those of the part: half a bar has no header of its own.
    assert scored.units == {name: longer.units[name] - shorter.units[name] for name in longer.units}
    assert scored.units["quarters"] == 50 / 16
    assert whole.end_nats > 0 and first.end_nats > 0


def test_adaptive_scores_of_a_part_know_what_comes_before(run) -> None:
    from seqgen.evaluation.adaptive import score_spans_adaptively

    ids = run.codec.encode("9 green bottles hanging on the wall,\nand if one green bottle")
    rows = codec_rows(run.codec, ids)
    part = Span(run.vocab, ids, rows, 40)
    alone = Span(run.vocab, ids[40:], CodecRows(*(row[40:] for row in rows)))
    [known], [unknown] = (list(score_spans_adaptively(run, [span])) for span in (part, alone))
    assert known.tokens == unknown.tokens == len(ids) - 40
    assert known.nats < unknown.nats


@torch.no_grad()
def test_features_and_skipped_layers_go_through_the_same_reading(chorales) -> None:
    """Reading and predicting apart is the whole call."""
    config = seqgen.ModelConfig(layers=2, hidden=8, embedding=6, skip=True, tied=True)
    sizes = tuple(chorales.codec.feature_sizes)
    model = SequenceModel(config, chorales.vocab, sizes).eval()
    ids = np.asarray(chorales.corpus().piece(0), np.int64)[:40]
    features = torch.from_numpy(chorales.codec.features(ids)[:40])[None]
    logits, state = model(torch.from_numpy(ids)[None], features)
    top, same = model.read(torch.from_numpy(ids)[None], features)
    torch.testing.assert_close(model.predict(top).transpose(0, 1), logits, rtol=0, atol=0)
    assert all(torch.equal(one, other) for one, other in zip(state, same, strict=True))


def test_pieces_to_compare_with_keep_their_voices(tmp_path: Path) -> None:
    """The end of a chorale begins with any voice; as a piece of its own its voices were others."""
    corpus = music_corpus(tmp_path)
    assert all(segment.start > 0 for segment in corpus.segments("valid"))
    pieces = list(reference_pieces(corpus))
    assert len(pieces) == 3
    for piece, segment in zip(pieces, corpus.segments("valid"), strict=True):
        ids = np.asarray(corpus.piece(segment.piece)[: segment.stop], np.int64)
        whole = corpus.codec.decode(ids)
        assert len(piece.notes) > 10
        means = [piece.notes["pitch"][piece.notes["track"] == voice].mean() for voice in range(4)]
        assert means == sorted(means, reverse=True), "soprano, alto, tenor, bass"
        for voice in range(4):
            part, all_notes = (
                music.notes["pitch"][music.notes["track"] == voice] for music in (piece, whole)
            )
            # A note that is held over the cut begins in front of the part.
            assert part[1:].tolist() == all_notes[-len(part) :][1:].tolist()
