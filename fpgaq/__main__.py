"""``python -m fpgaq``."""

from fpgaq.cli import main

main()
