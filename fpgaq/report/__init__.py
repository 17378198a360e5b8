"""The report: one JSON document; text, Markdown and JUnit XML are views of it."""

from fpgaq.report.content import SCHEMA_VERSION, load_report, save_report

__all__ = ["SCHEMA_VERSION", "load_report", "save_report"]
