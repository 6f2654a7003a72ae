"""Writing as such: fonts, which points belong to which letter, one scale for all hands."""
