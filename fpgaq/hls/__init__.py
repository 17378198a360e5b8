"""hls4ml inside: our layers, the passes that make every type exact, and the C++ simulation."""
