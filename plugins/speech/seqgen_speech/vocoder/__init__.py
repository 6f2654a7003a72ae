"""A vocoder: sound as pitch and spectral envelopes, frame by frame, and back."""
