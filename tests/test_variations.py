import itertools
import json
from pathlib import Path

import numpy as np
import pytest

import seqgen
from seqgen.conditions.labelled import LabelledCodec
from seqgen.conditions.labels import Label
from seqgen.data.rows import codec_rows
from seqgen.data.spans import Span
from seqgen.errors import ConfigError, PluginError
from seqgen.evaluation.scoring import Score, score_ids, score_spans
from seqgen.evaluation.variations import average, chosen, score_spans_over_variations
from seqgen.plugins.checks import checked_variations


@pytest.fixture(scope="module")
def notes(chorales) -> list[np.ndarray]:
    """Two phrases of chorales, of different lengths."""
    corpus = chorales.corpus()
    found = []
    for number, steps in ((0, 9), (1, 5)):
        ids = np.asarray(corpus.piece(number), np.int64)
        start = corpus.codec.layout.header_size(ids)
        # Without a plan, which they would not keep.
        found.append(np.concatenate([ids[:2], ids[start - 1 : start + 4 * steps]]))
    return found


def spans(run, encoded) -> list[Span]:
    return [Span(run.vocab, ids, codec_rows(run.codec, ids)) for ids in encoded]


def test_an_average_is_the_logarithm_of_the_mean_probability() -> None:
    scores = [Score(3, nats, end, {"notes": 2.0}) for nats, end in ((1.0, 0.5), (2.0, 0.1))]
    mean = average(scores)
    assert mean.nats == pytest.approx(-np.log((np.exp(-1) + np.exp(-2)) / 2))
    assert mean.nats + mean.end_nats == pytest.approx(-np.log((np.exp(-1.5) + np.exp(-2.1)) / 2))
    assert (mean.tokens, mean.units, mean.forbidden) == (3, {"notes": 2.0}, 0)
    assert average(scores[::-1]).nats == mean.nats
    assert average(scores[:1]).nats == pytest.approx(1.0)


def test_a_version_that_the_grammar_forbids_has_no_probability() -> None:
    own, other = Score(3, 9.0, 0.5, {}, 2), Score(3, 2.0, 0.25, {})
    mean = average([own, other, other])
    assert mean.nats == pytest.approx(2 - np.log(2 / 3)) and not mean.forbidden
    alone = average([own, own])
    assert (alone.nats, alone.end_nats, alone.forbidden) == (9.0, 0.5, 2)


@pytest.mark.parametrize(("count", "most"), [(1, 1), (5, 2), (7, None), (13, 8), (6, 99)])
def test_probabilities_of_all_versions_have_the_same_sum_as_before(count, most) -> None:
    rng = np.random.default_rng(0)
    given = rng.dirichlet(np.ones(count))
    read = [chosen(count, own, most) for own in range(count)]
    scores = [Score(1, nats, 0.0, {}) for nats in -np.log(given)]
    averaged = [average([scores[row] for row in rows]).nats for rows in read]
    assert np.exp(-np.array(averaged)).sum() == pytest.approx(1)
    for own, rows in enumerate(read):
        assert rows[0] == own and len(set(rows.tolist())) == len(rows) == min(most or count, count)


def test_all_transpositions_of_a_piece_have_one_score(chorales, notes) -> None:
    [versions, others] = map(chorales.codec.variations, notes)
    scored = list(score_ids(chorales, versions))
    nats = [each.nats for each in scored if not each.forbidden]
    assert len(nats) > 1 and len({round(value, 3) for value in nats}) > 1
    expected = np.log(len(versions)) - np.logaddexp.reduce(-np.array(nats))
    found = list(score_spans_over_variations(chorales, spans(chorales, [*versions, notes[1]])))
    assert len(found) == len(versions) + 1 and len(others) > 1
    for each in found[:-1]:
        assert each.nats == pytest.approx(expected, rel=1e-6)
        assert each.end_nats == pytest.approx(found[0].end_nats, rel=1e-4)
    [alone] = score_spans_over_variations(chorales, spans(chorales, notes[1:]))
    assert alone.nats == pytest.approx(found[-1].nats, rel=1e-6)


def test_one_version_is_the_plain_score(chorales, notes) -> None:
    pieces = [chorales.codec.decode(ids) for ids in notes]
    plain = list(seqgen.score(chorales, pieces))
    for one, other in zip(
        plain, seqgen.score_over_variations(chorales, pieces, most=1), strict=True
    ):
        assert other.nats == pytest.approx(one.nats, rel=1e-6)
        assert other.end_nats == pytest.approx(one.end_nats, rel=1e-4)
        assert other.units == one.units and other.forbidden == one.forbidden


def test_a_part_of_a_piece_is_scored_as_it_is(chorales, notes) -> None:
    ids = notes[0]
    part = Span(chorales.vocab, ids, codec_rows(chorales.codec, ids), 10, len(ids))
    [plain], [averaged] = (
        score_spans(chorales, [part]),
        score_spans_over_variations(chorales, [part]),
    )
    assert averaged.nats == pytest.approx(plain.nats, rel=1e-6)


def test_labels_stay_in_variations(chorales, notes) -> None:
    codec = LabelledCodec(chorales.codec, [Label("composer", None, {"bach": 1})])
    header = codec.header_ids({"composer": "bach"})
    labelled = np.concatenate([header, notes[0]])
    versions, own = checked_variations(codec, labelled)
    np.testing.assert_array_equal(versions[:, len(header) :], chorales.codec.variations(notes[0]))
    np.testing.assert_array_equal(versions[own], labelled)
    odd = np.concatenate([labelled, header])
    assert len(codec.variations(odd)) == 1


def test_the_command_adds_a_column(chorales, seqgen_command) -> None:
    from music21 import corpus

    bach = Path(corpus.__file__).parent / "bach"
    file = bach / chorales.corpus().source(0)  # whole: a part is scored as it is
    arguments = ["score", chorales.folder, file, "--device", "cpu"]
    tables = {}
    for name, more in {"all": ["--variations"], "one": ["--variations", "1"]}.items():
        status, out, _ = seqgen_command(*arguments, "--json", *more)
        assert status == 0
        tables[name] = json.loads(out)["total"]["nats"]
    assert tables["one"]["variations"] == pytest.approx(tables["one"]["network"], rel=1e-6)
    assert tables["all"]["network"] == tables["one"]["network"] != tables["all"]["variations"]


def test_what_has_no_variations_is_refused(run, chorales, seqgen_command) -> None:
    status, _, errors = seqgen_command("score", run.folder, "--variations")
    assert status and "CharacterCodec knows no variations" in errors
    with pytest.raises(ConfigError, match="at least 1, found 0"):
        seqgen.score_over_variations(chorales, [], most=0)


@pytest.mark.parametrize(
    ("versions", "message"),
    [
        (lambda ids: ids, "as rows of 9 whole numbers"),
        (lambda ids: ids[None, :-1], "as rows of 9 whole numbers"),
        (lambda ids: ids[None] + 1, "among which the piece is"),
        (lambda ids: ids[None] - 10**6, "from 0 to"),
    ],
)
def test_wrong_variations_are_faults_of_the_codec(chorales, monkeypatch, versions, message) -> None:
    monkeypatch.setattr(type(chorales.codec), "variations", lambda self, ids: versions(ids))
    with pytest.raises(PluginError, match=message):
        checked_variations(chorales.codec, np.arange(9))


def test_all_pitches_of_a_transposition_move_together() -> None:
    from seqgen_music.codecs.tokens import TokenTable

    table = TokenTable({"rest": (None,), "on": range(60, 64), "off": range(60, 64)})
    ids = np.array([table.id("on", 61), 0, table.id("on", 62), table.id("off", 61)])
    rows = table.transpositions(ids, "on", "off")
    kinds = [[table.token(token) for token in row] for row in rows.tolist()]
    assert [row[0][1] for row in kinds] == [60, 61, 62]
    for row, move in zip(kinds, itertools.count(-1), strict=False):
        assert row == [("on", 61 + move), ("rest", None), ("on", 62 + move), ("off", 61 + move)]
