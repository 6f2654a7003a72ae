"""Music for eyes and ears: piano roll, sound, engraved score."""
