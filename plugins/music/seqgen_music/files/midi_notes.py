"""Notes and tempos from MIDI events: notes in the order of a piece, held by the pedal."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqgen.compiling import compiled
from seqgen_music.files.midi_events import PEDAL_DOWN
from seqgen_music.music import NOTE, TEMPO

#: Range of tempos in quarters per minute; the slowest is that of the MIDI format.
SLOWEST, FASTEST = 3.6, 1000.0

#: The tick at which a pitch is played again if it never is.
NEVER = np.iinfo(np.int64).max


@compiled
def places(played: Any) -> Any:
    """Return sort keys of notes ``(N,)``: onset, part and pitch in one number."""
    keys = np.empty(len(played), np.int64)
    for number in range(len(played)):
        note = played[number]
        keys[number] = note.onset << 17 | np.int64(note.part) << 7 | np.int64(note.pitch)
    return keys


@compiled
def heard(played: Any, order: Any, released: Any) -> Any:
    """Return the notes of a piece ``(M,)``; notes of no length are dropped.

    A note lasts until it is released, or until its pitch is played again in its channel.

    Parameters
    ----------
    played : array (N,) of `PLAYED`
    order : int64 array (N,)
        Indices that sort notes by onset, part and pitch.
    released : int64 array (N,)
        Tick at which the pedal releases each note; ticks before its end do not count.
    """
    row = 0
    for number in range(len(played)):
        row += played[number].end > played[number].onset
    notes = np.empty(row, NOTE)
    # Onsets (16, 128) of the next note of each channel and pitch, and of the one after it.
    following = np.full((16, 128), NEVER)
    later = np.full((16, 128), NEVER)
    for number in order[::-1]:
        one = played[number]
        if one.end == one.onset:
            continue
        if one.onset != following[one.channel, one.pitch]:
            later[one.channel, one.pitch] = following[one.channel, one.pitch]
            following[one.channel, one.pitch] = one.onset
        end = max(one.end, min(released[number], later[one.channel, one.pitch]))
        row -= 1
        note = notes[row]
        note.onset, note.duration, note.track = one.onset, end - one.onset, one.part
        note.pitch, note.velocity = one.pitch, one.velocity
    return notes


@compiled
def releases(played: Any, ended: Any, pedals: Any) -> Any:
    """Return the tick at which the pedal releases each note ``(N,)``; a past tick if it is up.

    A pedal that never comes up is released when the last note of its channel ends.

    Parameters
    ----------
    played : array (N,) of `PLAYED`
    ended : int32 array (N,)
        Indices of notes, track by track in the order of their ends.
    pedals : array of `PEDAL_MOVE`
        Sorted by channel and tick.
    """
    released = np.zeros(len(played), np.int64)
    if not len(pedals):
        return released
    last = np.zeros(16, np.int64)
    for number in range(len(played)):
        note = played[number]
        if note.end > note.onset:
            last[note.channel] = max(last[note.channel], note.end)
    until = _until(pedals, last)
    counts = np.zeros(17, np.int64)
    for number in range(len(pedals)):
        counts[pedals[number].channel + 1] += 1
    first = np.cumsum(counts)
    # Index of the next move of each channel.
    coming, tick = first.copy(), 0
    for number in ended:
        end, channel = played[number].end, played[number].channel
        if end < tick:
            # The next track begins.
            coming[:] = first
        tick = end
        while coming[channel] < first[channel + 1] and pedals[coming[channel]].tick <= end:
            coming[channel] += 1
        if coming[channel] > first[channel]:
            released[number] = until[coming[channel] - 1]
    return released


@compiled
def _until(pedals: Any, last: Any) -> Any:
    """Return for each move the tick at which its channel next comes up."""
    until = np.empty(len(pedals), np.int64)
    up, channel = 0, -1
    for number in range(len(pedals) - 1, -1, -1):
        move = pedals[number]
        if move.channel != channel:
            up, channel = last[move.channel], move.channel
        if move.value < PEDAL_DOWN:
            up = move.tick
        until[number] = up
    return until


@compiled
def tempo_map(events: Any) -> Any:
    """Return the changes of tempo ``(T,)``, without overridden and repeated ones.

    Parameters
    ----------
    events : array of `TEMPO_EVENT`
        Sorted by tick.
    """
    tempos = np.empty(len(events), TEMPO)
    count = 0
    for number in range(len(events)):
        tick = events[number].tick
        qpm = min(max(6e7 / max(events[number].microseconds, 1), SLOWEST), FASTEST)
        if count and tempos[count - 1].tick == tick:
            count -= 1
        if not count or tempos[count - 1].qpm != qpm:
            tempos[count].tick, tempos[count].qpm = tick, qpm
            count += 1
    return tempos[:count]
