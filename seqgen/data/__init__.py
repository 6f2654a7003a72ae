"""Corpora: files become pieces, pieces become a folder of token ids, ids become batches."""
