"""SystemVerilog from the integer graph: library blocks in ``lib/``, one generated module per layer, a top."""
