"""Figures: a module per figure, each a pure function of data frames that returns a Figure.

`catalogue` lists every figure of a study with its caption; `save_all` writes them.
"""

from simcons.figures.catalogue import CatalogueEntry, catalogue, save_all
from simcons.figures.inputs import Description, FigureInputs, Similarities, check
from simcons.figures.style import category_colours, save

__all__ = [
    "CatalogueEntry",
    "Description",
    "FigureInputs",
    "Similarities",
    "catalogue",
    "category_colours",
    "check",
    "save",
    "save_all",
]
