"""Inference: intervals by the bootstrap and tests by permutation; models are drawn by family."""
