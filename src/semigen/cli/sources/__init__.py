"""Where rows come from: the columns of a table, or a folder of images.

``read`` is for learning: it reads labels, too, and decides how the rows are read. ``read_new`` is for
predicting: it reads other rows in the same way as those of the model. What is printed about rows is data:
``describe`` gives lines, ``notes`` warnings.
"""

from semigen.cli.sources.images import ImageSource
from semigen.cli.sources.records import ReadOptions, Rows, Source
from semigen.cli.sources.table import TableSource

__all__ = ["ImageSource", "ReadOptions", "Rows", "Source", "TableSource"]
