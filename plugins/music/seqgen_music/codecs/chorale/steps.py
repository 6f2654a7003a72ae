"""The state of a chorale and what each token does to it: compiled functions.

One machine gives the features and masks of whole pieces and is the tracker of new ones. Its state,
and the rules that do not change, are those of `seqgen_music.codecs.chorale.rules`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled, copy
from seqgen.following import NOTHING, fill
from seqgen.plugin import Ids
from seqgen_music.codecs.chorale.layout import (
    HEADER_SLOTS,
    HOLD,
    LAST_BAR,
    LONGEST_LASTED,
    MOST_FOLLOWING,
    MOST_LEFT,
    MOST_PHRASES,
    NO_CELL,
    PARTS,
    PERFECT,
)
from seqgen_music.codecs.chorale.parallels import forbid_parallels
from seqgen_music.codecs.chorale.plan import ANY, LAST, NONE_YET
from seqgen_music.codecs.chorale.raster import REST, STEPS
from seqgen_music.codecs.chorale.rules import (
    BEAT,
    ENDS,
    HEADER,
    LASTED,
    METRE,
    PHRASES,
    PLACE,
    PRESENT,
    SILENT,
    SOUNDING,
    STAYED,
    UPBEAT,
    Rules,
    Table,
    rules_of,
)
from seqgen_music.codecs.machine import Machine

#: Features tell these places of the header apart.
HEADER_COUNT = len(HEADER_SLOTS)


@compiled
def _push(rules: Rules, state: Ids, token: int) -> None:
    """Update a state with a token."""
    in_header, place = _in_header(rules, state), state[PLACE]
    state[PLACE] = place + 1
    if in_header:
        _push_header(rules, state, place, token)
        return
    step, voice = divmod(place - state[HEADER], PARTS)
    sounding = state[SOUNDING:]
    now, begins = _sung(rules, token, sounding[PARTS])
    state[LASTED + voice] = 1 if begins else state[LASTED + voice] + 1
    state[STAYED + voice] = 1 if now != sounding[PARTS] else state[STAYED + voice] + 1
    for cell in range(2 * PARTS - 1):
        sounding[cell] = sounding[cell + 1]
    sounding[2 * PARTS - 1] = now
    if voice == PARTS - 1:
        silent = True
        for each in range(PARTS):
            silent &= sounding[PARTS + each] == REST
        state[SILENT] = state[SILENT] + 1 if silent else 0
        if _is_beat(state, step):
            copy(sounding[PARTS : 2 * PARTS], state[BEAT:SOUNDING])
        if state[PRESENT] < state[PHRASES] and step + 1 == state[ENDS + state[PRESENT]]:
            state[PRESENT] += 1


@compiled
def _in_header(rules: Rules, state: Ids) -> bool:
    """Return whether the next token belongs to the header."""
    return bool(rules.held and state[HEADER] == 0)


@compiled
def _push_header(rules: Rules, state: Ids, place: int, token: int) -> None:
    """Update a state with a token of the header: metre, upbeat, phrases, end of the plan."""
    if place == 0:
        state[METRE] = rules.metre_of[token]
    elif place == 1:
        state[UPBEAT] = rules.upbeat_of[token] % rules.bars[state[METRE]]
    elif rules.phrase_of[token] and state[PHRASES] < MOST_PHRASES:
        state[ENDS + state[PHRASES]] = _planned(state) + rules.phrase_of[token]
        state[PHRASES] += 1
    else:
        state[HEADER] = place + 1


@compiled
def _planned(state: Ids) -> int:
    """Return the steps of all phrases together."""
    return int(state[ENDS + state[PHRASES] - 1]) if state[PHRASES] else 0


@compiled
def _is_beat(state: Ids, step: int) -> bool:
    """Return whether a step is on a quarter of its bar."""
    return (step - int(state[UPBEAT])) % STEPS == 0


@compiled
def _sung(rules: Rules, token: int, before: int) -> tuple[int, bool]:
    """Return the pitch that sounds after `before` and a token, and whether it begins there."""
    meaning = rules.meaning[token]
    now = before if meaning == HOLD else REST if meaning == NO_CELL else meaning
    return now, now != before or (rules.held and meaning >= 0)


@compiled
def _describe(rules: Rules, state: Ids, row: Ids) -> None:
    """Write the features of the next position into a row ``(K,)``."""
    if _in_header(rules, state):
        _describe_header(state, row)
        return
    step, voice = divmod(state[PLACE] - state[HEADER], PARTS)
    bar, place = divmod(step - state[UPBEAT], rules.bars[state[METRE]])
    sounding = state[SOUNDING:]
    row[0] = HEADER_COUNT * rules.held + voice
    row[1], row[2] = place, min(max(bar, 0), LAST_BAR)
    row[3] = min(state[LASTED + voice], LONGEST_LASTED)
    for back in range(1, PARTS + 1):
        row[3 + back] = _pitch_feature(rules, sounding[2 * PARTS - back])
    for back in range(1, PARTS):
        row[3 + PARTS + back] = _pitch_feature(rules, _parallel(sounding, voice, back))
    if rules.held:
        present, phrases = state[PRESENT], state[PHRASES]
        left = state[ENDS + present] - step if present < phrases else 0
        row[3 + 2 * PARTS] = min(left, MOST_LEFT)
        row[4 + 2 * PARTS] = min(max(phrases - present - 1, 0), MOST_FOLLOWING)


@compiled
def _describe_header(state: Ids, row: Ids) -> None:
    """Write the features of a position in the header: of the plan the last phrase, and how many."""
    row[:] = 0
    row[0] = min(state[PLACE], HEADER_COUNT - 1)
    phrases = state[PHRASES]
    if phrases:
        before = state[ENDS + phrases - 2] if phrases > 1 else 0
        row[3 + 2 * PARTS] = min(_planned(state) - before, MOST_LEFT)
        row[4 + 2 * PARTS] = min(phrases, MOST_FOLLOWING)


@compiled
def _pitch_feature(rules: Rules, pitch: int) -> int:
    """Return a pitch as a feature; 0 is a rest, or a pitch out of range."""
    return pitch - rules.low + 1 if rules.low <= pitch <= rules.high else 0


@compiled
def _parallel(sounding: Ids, voice: int, back: int) -> int:
    """Return the pitch that would move parallel to the voice `back` cells ago, or `REST`."""
    own, other = sounding[PARTS], sounding[2 * PARTS - back]
    before = sounding[PARTS - back]
    if voice < back or REST in (own, other, before) or other == before:
        return REST
    return own + other - before if (before - own) % 12 in PERFECT else REST


@compiled
def _due(rules: Rules, state: Ids) -> int:
    """Return the token that is given, END after the given length, or `NOTHING`."""
    if _in_header(rules, state):
        return int(rules.opening[state[PLACE]]) if state[PLACE] < rules.known else NOTHING
    step, voice = divmod(state[PLACE] - state[HEADER], PARTS)
    if voice == 0 and step == _length(rules, state):
        return len(rules.meaning)
    return _given(rules, voice, step, state[SOUNDING + PARTS])


@compiled
def _given(rules: Rules, voice: int, step: int, before: int) -> int:
    """Return the token that a voice is given at a step after a pitch, or `NOTHING`."""
    if step >= rules.given.shape[1]:
        return NOTHING
    tied = rules.tied[voice, step]
    if tied != NOTHING and rules.meaning[tied] != before:
        return int(tied)
    return int(rules.given[voice, step])


@compiled
def _is_keeper(rules: Rules, voice: int, step: int) -> bool:
    """Return whether a voice is the last free one of a step.

    It must move when all voices would be silent or still for too long.
    """
    if step >= rules.given.shape[1]:
        return voice == PARTS - 1
    for later in range(voice + 1, PARTS):
        if rules.given[later, step] == NOTHING:
            return False
    return bool(rules.given[voice, step] == NOTHING)


@compiled
def _length(rules: Rules, state: Ids) -> int:
    """Return the number of steps that is requested, or that a new piece plans, or -1.

    A piece that goes on after its plan, because it may not end yet, has no length.
    """
    if rules.measures >= 0:
        return int(rules.measures * rules.bars[state[METRE]])
    goes_on = state[PLACE] - state[HEADER] > PARTS * _planned(state)
    if rules.steps < 0 and rules.is_new and state[PHRASES] and not goes_on:
        return _planned(state)
    return rules.steps


@compiled
def _row(rules: Rules, state: Ids) -> int:
    """Return the row of `ChoraleGrammar.table` for the next position.

    A voice holds only a note that sounds. All voices together are silent for at most a bar, and
    still for at most `stillest` steps. A piece ends after a full step in which something sounds.
    """
    if _in_header(rules, state):
        return _header_row(rules, state)
    step, voice = divmod(state[PLACE] - state[HEADER], PARTS)
    length, sounds = _length(rules, state), state[SOUNDING + PARTS] != REST
    ends = voice == 0 and step > 0 and state[SILENT] == 0 and length < 0
    silent = still = False
    if step != length and _is_keeper(rules, voice, step):
        others_rest = _others_rest(rules, state, step, voice)
        enough = state[SILENT] >= rules.bars[state[METRE]] or step + 1 == length
        silent = enough and others_rest
        still = rules.held and _is_still(rules, state, step, voice) and (sounds or not others_rest)
    # The order of the facts is that of `ChoraleGrammar.table`.
    return int(rules.first_cell + 16 * voice + 8 * sounds + 4 * ends + 2 * silent + still)


@compiled
def _header_row(rules: Rules, state: Ids) -> int:
    """Return the row of `ChoraleGrammar.masks` for the next position of the header."""
    if state[PLACE] < 2:
        return 1 + int(state[METRE]) if state[PLACE] else 0
    first, phrases = rules.first_cell - 3, int(state[PHRASES])
    if phrases >= MOST_PHRASES:
        return first + LAST
    counts, lengths = rules.plans.shape
    if not counts:
        return first + (NONE_YET if rules.is_planned and phrases == 0 else ANY)
    left = _length(rules, state) - _planned(state) if rules.measures >= 0 else 0
    missing = counts - 1 - phrases
    if left < 0 or left >= lengths or (counts > 1 and missing < 0):
        return first + LAST
    return int(rules.plans[missing if counts > 1 else 0, left])


@compiled
def _is_still(rules: Rules, state: Ids, step: int, voice: int) -> bool:
    """Return whether all voices have been still for as long as allowed, this step included."""
    for each in range(PARTS):
        # Earlier voices have already passed this step.
        if state[LASTED + each] - (each < voice) < rules.stillest:
            return False
    # All voices after the last free one are given.
    for later in range(voice + 1, PARTS):
        before = state[SOUNDING + PARTS + later - voice]
        if _sung(rules, _given(rules, later, step, before), before)[1]:
            return False
    return True


@compiled
def _others_rest(rules: Rules, state: Ids, step: int, voice: int) -> bool:
    """Return whether all voices but the next are silent in its step."""
    for back in range(1, voice + 1):
        if state[SOUNDING + 2 * PARTS - back] != REST:
            return False
    # All voices after the last free one are given.
    for later in range(voice + 1, PARTS):
        token = rules.given[later, step]
        if rules.meaning[token] != REST:
            return False
    return True


@compiled
def _limit(rules: Rules, state: Ids, mask: NDArray[np.bool_]) -> None:
    """Forbid in a mask ``(V + 1,)`` what only new pieces may not do; at least one pitch stays.

    A voice that has held a note for long enough sings another one, and a voice that has stayed on a
    pitch for long enough sings another pitch. No voice moves in parallel with a higher one, from
    the step before or from the last beat.
    """
    if not rules.held or _in_header(rules, state):
        return
    step, voice = divmod(state[PLACE] - state[HEADER], PARTS)
    sounding, first = state[SOUNDING:], rules.first_pitch
    own = sounding[PARTS]
    pitched = mask[first : first + rules.high - rules.low + 1]
    if own != REST:
        stayed = state[STAYED + voice] >= rules.stays[voice]
        if stayed and pitched.sum() > 1:
            pitched[own - rules.low] = False
        if stayed or state[LASTED + voice] >= rules.notes[voice]:
            mask[rules.hold] = mask[rules.rest] = False
    ends = rules.is_new and state[PRESENT] > 0 and step == state[ENDS + state[PRESENT] - 1]
    if voice == 0 and ends:
        mask[rules.hold] = False  # A phrase is over when its last note ends.
    if rules.parallels:
        return
    for back in range(1, voice + 1):
        after, low = sounding[2 * PARTS - back], rules.low
        forbid_parallels(pitched, low, own, sounding[PARTS - back], after)
        if _is_beat(state, step):
            beat = state[BEAT + voice], state[BEAT + voice - back]
            forbid_parallels(pitched, low, beat[0], beat[1], after)


@compiled
def limit(table: Table, state: Ids, mask: NDArray[np.bool_]) -> None:
    """Forbid in a mask ``(V + 1,)`` what only new pieces may not do."""
    _limit(rules_of(table), state, mask)


@compiled
def push(table: Table, state: Ids, token: int) -> None:
    """Update a state with a token."""
    _push(rules_of(table), state, token)


@compiled
def look(table: Table, state: Ids, features: Ids) -> tuple[int, int]:
    """Write the features of the next position ``(K,)``; return its row of masks.

    Also return the token that is due there, or `NOTHING`.
    """
    rules = rules_of(table)
    _describe(rules, state, features)
    return _row(rules, state), _due(rules, state)


@compiled
def follow(table: Table, ids: Ids, state: Ids, features: Ids, rows: Ids) -> None:
    """Write features ``(N + 1, K)`` and rows of masks ``(N + 1,)`` of ids ``(N,)``."""
    rules = rules_of(table)
    for position in range(len(ids) + 1):
        _describe(rules, state, features[position])
        rows[position] = _row(rules, state)
        if position < len(ids):
            _push(rules, state, ids[position])


def step(
    table: Table,
    state: Ids,
    token: int,
    room: int,
    features: Ids,
    possible: NDArray[np.bool_],
    allowed: NDArray[np.bool_],
) -> None:
    """Update a state with a token, and set features and masks (`seqgen.following`)."""
    rules = rules_of(table)
    _push(rules, state, token)
    _describe(rules, state, features)
    mask = rules.masks[_row(rules, state)].copy()
    _limit(rules, state, mask)
    fill(mask, _due(rules, state), possible, allowed)


MACHINE = Machine(push, look, follow, step, limit)
