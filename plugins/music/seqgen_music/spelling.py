"""The names of pitches in a key."""


def spelled(pitch: int, sharps: int) -> tuple[str, int]:
    """Return name and octave of a MIDI pitch, spelled near a key on the circle of fifths.

    In C major, black keys are B-, E-, F#, C# and G#.
    """
    fifths = (pitch * 7 + 3 - sharps) % 12 - 3 + sharps
    step, accidentals = "FCGDAEB"[(fifths + 1) % 7], (fifths + 1) // 7
    return f"{step}{'#' * accidentals}{'-' * -accidentals}", (pitch - accidentals) // 12 - 1
