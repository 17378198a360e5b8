"""Scripts for the tools of vendors, and what their reports say."""
