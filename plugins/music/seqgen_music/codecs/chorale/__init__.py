"""The codec for four voices."""
