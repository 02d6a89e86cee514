"""Figures: a module per figure, each an object that holds what it shows, describes and draws it.

`catalogue` lists every figure of a study with its caption; `save_all` writes them. Schema,
selection and words are shared with the report.
"""

from simcons.figures.catalogue import catalogue, save_all
from simcons.figures.schema import FigureInputs

__all__ = ["FigureInputs", "catalogue", "save_all"]
