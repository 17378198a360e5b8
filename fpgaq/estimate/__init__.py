"""What hardware costs before it is built."""
