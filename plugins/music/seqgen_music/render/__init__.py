"""Rendering of music: piano roll, sound, engraved score."""
