"""The codec for piano as it was played."""
