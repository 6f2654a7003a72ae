"""The codec for any number of instruments."""
