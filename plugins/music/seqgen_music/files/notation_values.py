"""What the readers of notation share: ticks, dynamics, drums."""

from __future__ import annotations

#: Ticks in a quarter: they divide it into triplets, quintuplets and 128ths.
TICKS = 480

#: Velocity of notes without dynamics.
VELOCITY = 80

#: Velocities of dynamics.
DYNAMICS = {
    "pppp": 8,
    "ppp": 16,
    "pp": 33,
    "p": 49,
    "mp": 64,
    "mf": 80,
    "f": 96,
    "ff": 112,
    "fff": 120,
    "ffff": 127,
}

#: The drum of General MIDI at each place of a percussion staff.
DRUM_STAFF = {
    "D4": 44,
    "E4": 35,
    "F4": 36,
    "G4": 43,
    "A4": 45,
    "B4": 47,
    "C5": 38,
    "D5": 48,
    "E5": 50,
    "F5": 51,
    "G5": 42,
    "A5": 49,
}

#: The drum at other places.
SNARE = 38
