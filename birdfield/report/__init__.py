"""A page that shows an evaluation; needs the report extra, and is imported only when asked for."""

from birdfield.report.evaluation import Evaluation
from birdfield.report.folder import check_report, write_report
from birdfield.report.gather import gather

__all__ = ["Evaluation", "check_report", "gather", "write_report"]
