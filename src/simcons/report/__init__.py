"""The report: one self-contained HTML page that a researcher opens first."""

from simcons.report.page import Picture, ReportInputs, load_pictures, render

__all__ = ["Picture", "ReportInputs", "load_pictures", "render"]
