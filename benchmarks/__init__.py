"""Measurements of fpgaq against its peers and of its own run time; see README.md."""
