"""The codec for one voice, with or without chords."""
