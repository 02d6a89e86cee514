"""Features: the extraction loop over shards, and the files that hold the result."""

from simcons.features.extraction import extract, feature_parts
from simcons.features.files import FeatureFile, check_aligned, read_aligned

__all__ = ["FeatureFile", "check_aligned", "extract", "feature_parts", "read_aligned"]
