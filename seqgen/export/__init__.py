"""A trained network for other programs: as an ONNX file."""
