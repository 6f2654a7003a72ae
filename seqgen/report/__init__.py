"""Reports: the files of new pieces, pages to look at, and curves."""
