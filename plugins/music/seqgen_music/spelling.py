"""The names of keys, and of pitches in a key."""


def spelled(pitch: int, sharps: int) -> tuple[str, int]:
    """Return name and octave of a MIDI pitch, spelled near a key on the circle of fifths.

    In C major, black keys are B-, E-, F#, C# and G#.
    """
    fifths = (pitch * 7 + 3 - sharps) % 12 - 3 + sharps
    step, accidentals = "FCGDAEB"[(fifths + 1) % 7], (fifths + 1) // 7
    return f"{step}{'#' * accidentals}{'-' * -accidentals}", (pitch - accidentals) // 12 - 1


def root_name(pitch_class: int, sharps: int) -> str:
    """Return the name of a root near a key; G in B major is no F##, which no chord symbol has."""
    name = spelled(pitch_class, sharps)[0]
    return name if len(name) < 3 else spelled(pitch_class, 0)[0]


def key_name(sharps: int, minor: bool) -> str:
    """Return the name of a key by its sharps, flats negative, as MIDI and ABC have it: ``F#m``."""
    fifths = sharps + (3 if minor else 0)
    step, accidentals = "FCGDAEB"[(fifths + 1) % 7], (fifths + 1) // 7
    return f"{step}{'#' * accidentals}{'b' * -accidentals}{'m' * minor}"
