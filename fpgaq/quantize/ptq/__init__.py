"""Quantization after training: weights are rounded so that the outputs of their layer stay, on calibration data."""
