"""fpgaq: quantized Keras/QKeras models to FPGA IP, with a proof that the IP computes the model."""

__version__ = "0.1.0"
