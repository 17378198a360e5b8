"""Quantization methods side by side: accuracy over seeds, and what the hardware takes."""
