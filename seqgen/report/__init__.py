"""Reports: files of new pieces, HTML pages, charts and loss curves."""
