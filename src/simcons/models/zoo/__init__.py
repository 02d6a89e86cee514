"""A zoo of small networks that differ in the training objective and in little else.

The published study compares models that differ in objective, architecture, training data and size
at once. Here everything but the objective can be held fixed: the same images, architectures, input
size and optimiser. What belongs in this package: the spec of a model (`spec`), the training data
(`data`, `augment`), the architectures, the objectives (a module each), the training loop, trained
models on disk and in the store (`trained`), and the check that a model has learned (`learned`).
"""
