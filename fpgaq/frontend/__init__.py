"""Keras/QKeras models to hls4ml graphs whose every type is exact."""
