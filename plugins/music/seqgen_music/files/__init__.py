"""Music in files: MIDI and notation, read and written."""
