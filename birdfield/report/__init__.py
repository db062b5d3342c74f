"""Report: shows an evaluation, or a journal, as one HTML page; needs the `report` extra."""

from birdfield.report.evaluation import Evaluation
from birdfield.report.folder import check_report, write_report
from birdfield.report.gather import gather

__all__ = ["Evaluation", "check_report", "gather", "write_report"]
