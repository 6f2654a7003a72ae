"""The checks behind `seqgen.testing`: every promise of `seqgen.plugin`, tried on demo pieces."""
