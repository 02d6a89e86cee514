"""Confounds: what else than the models' geometry makes the consistency of a group high or low."""
