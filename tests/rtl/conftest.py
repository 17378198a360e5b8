"""Puts this folder on the path, so that tests below it share `random_layers` and `batches`."""
