"""A trained network for other programs: as an ONNX file, or as a page for the browser."""
