"""Features: the files that hold them, and (`simcons.features.extraction`) how they come about.

Extraction is not imported here: it needs torchvision, which takes a second to load, and most stages
only read features.
"""

from simcons.features.feature_files import FeatureFile, check_aligned, read_aligned

__all__ = ["FeatureFile", "check_aligned", "read_aligned"]
