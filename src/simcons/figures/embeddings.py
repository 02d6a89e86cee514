"""Models as points in the plane: MDS and t-SNE on 1 - similarity, per data set.

Every panel is rotated (and mirrored) onto the map of the mean similarity, so that a model that
stays in its place keeps its place on the page.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from matplotlib.figure import Figure

from simcons.figures import layout, style
from simcons.figures.base import SIMILARITY, Entry, SimilarityFigure
from simcons.figures.schema import FigureInputs
from simcons.figures.selection import correlation, varying
from simcons.figures.similarity_heatmaps import over_datasets
from simcons.figures.words import Description, category_label, count, number

Embedding = Literal["mds", "tsne"]
EMBEDDING_LABELS = {"mds": "MDS", "tsne": "t-SNE"}


def figures(inputs: FigureInputs) -> Iterator[Entry]:
    """Yield maps of the models under the study's first measure, if there are four models."""
    for measure, by_dataset in list(inputs.similarities.items())[:1]:
        if min(len(matrix.models) for matrix in by_dataset.values()) < 4:
            return
        shown = (by_dataset, inputs.models, inputs.datasets, measure)
        for category in varying(inputs.models):
            figure = ModelMap(*shown, category, method=inputs.method)
            yield Entry(f"mds_{category}", SIMILARITY, measure, figure)
        figure = ModelMap(*shown, "objective", "tsne", inputs.method)
        yield Entry("tsne_objective", SIMILARITY, measure, figure)


def distances(similarity: np.ndarray) -> np.ndarray:
    """Return 1 - similarity, (m, m): symmetric, no negative entry, zero on the diagonal.

    A missing similarity counts as the mean of the others.
    """
    distance = 1.0 - similarity
    finite = np.isfinite(distance)
    distance = np.where(finite, distance, distance[finite].mean() if finite.any() else 0.0)
    distance = np.maximum((distance + distance.T) / 2, 0.0)
    np.fill_diagonal(distance, 0.0)
    return distance


def classical_mds(distance: np.ndarray) -> np.ndarray:
    """Return the plane of classical scaling, (m, 2) (Torgerson 1952).

    The leading eigenvectors of -1/2 H D^2 H, H the centring matrix, each times the root of its
    eigenvalue (a negative one counts as 0); the sign is fixed by the largest entry.
    """
    squared = distance**2
    row, column = squared.mean(axis=1, keepdims=True), squared.mean(axis=0, keepdims=True)
    centred = -0.5 * (squared - row - column + squared.mean())
    values, vectors = np.linalg.eigh(centred)
    values, vectors = values[::-1][:2], vectors[:, ::-1][:, :2]
    signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])])
    points = vectors * signs * np.sqrt(np.maximum(values, 0.0))
    return np.pad(points, ((0, 0), (0, 2 - points.shape[1])))


def tsne(distance: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return t-SNE coordinates, (m, 2), started from classical scaling (so: repeatable)."""
    from sklearn.manifold import TSNE

    m = len(distance)
    start = classical_mds(distance)
    start = start / max(start.std(), 1e-12) * 1e-4
    method = TSNE(
        metric="precomputed", init=start, perplexity=min(30.0, max((m - 1) / 3, 1.0)),
        random_state=seed, method="exact" if m < 200 else "barnes_hut", max_iter=500,
    )  # fmt: skip
    # A copy: scikit-learn squares precomputed distances in place.
    return np.asarray(method.fit_transform(distance.copy()), dtype=float)


def aligned(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return points centred, and rotated or mirrored onto a target (orthogonal Procrustes)."""
    points, target = points - points.mean(axis=0), target - target.mean(axis=0)
    u, _, vt = np.linalg.svd(points.T @ target)
    return points @ u @ vt


def explained(distance: np.ndarray, method: str = "pearson") -> float:
    """Return the correlation of distances in the plane of MDS with the real ones."""
    points = classical_mds(distance)
    flat = np.sqrt(((points[:, None] - points[None]) ** 2).sum(-1))
    upper = np.triu_indices(len(distance), 1)
    return correlation(flat[upper], distance[upper], method)


def clusters(similarity: np.ndarray, n_clusters: int, seed: int = 0) -> np.ndarray:
    """Return the cluster of each model by spectral clustering of the similarities, (m,)."""
    from sklearn.cluster import SpectralClustering

    affinity = np.clip(1.0 - distances(similarity), 0.0, None)
    method = SpectralClustering(n_clusters, affinity="precomputed", random_state=seed,
                                assign_labels="cluster_qr")  # fmt: skip
    # A copy: scikit-learn squares precomputed distances in place.
    return np.asarray(method.fit_predict(affinity))


@dataclass(frozen=True)
class ModelMap(SimilarityFigure):
    """A map of the models per data set, coloured (and shaped) by a category."""

    category: str = "objective"
    embedding: Embedding = "mds"
    method: str = "pearson"

    @cached_property
    def values(self) -> np.ndarray:
        """The category's value of each model, (m,)."""
        return self.models.loc[self.ids, self.category].astype(str).to_numpy()

    def cluster_agreement(self) -> dict[str, float]:
        """Return, per data set, the adjusted Rand index of spectral clusters and the category.

        As many clusters as the category has values; NaN where that is 1, or all models.
        """
        from sklearn.metrics import adjusted_rand_score

        n_clusters = len(set(self.values))
        if not 1 < n_clusters < len(self.values) - 1:
            return dict.fromkeys(self.order, float("nan"))
        return {
            dataset: float(adjusted_rand_score(self.values, clusters(matrix, n_clusters)))
            for dataset, matrix in zip(self.order, self.matrices, strict=True)
        }

    def paint(self) -> Figure:
        """Draw a panel per data set."""
        target = classical_mds(distances(over_datasets(self.matrices, "mean")))
        n_columns, n_rows, side = layout.dataset_panel_size(len(self.order), style.FULL_WIDTH - 0.2)
        figure = self.canvas(n_rows * (side + 0.2) + 0.85)
        axes = layout.panel_grid(figure, len(self.order), n_columns)
        colours, markers = style.looks(self.category, self.models[self.category])
        for axis, dataset, matrix in zip(axes, self.order, self.matrices, strict=True):
            distance = distances(matrix)
            points = classical_mds(distance) if self.embedding == "mds" else tsne(distance)
            points = aligned(points, target)
            for name in sorted(set(self.values)):
                x, y = points[self.values == name].T
                axis.scatter(x, y, s=14, color=colours[name], marker=markers[name],
                             linewidths=0.3, edgecolors="white")  # fmt: skip
            centre = (points.max(axis=0) + points.min(axis=0)) / 2
            half = 0.58 * max(float(np.ptp(points, axis=0).max()), 1e-9)
            axis.set(xticks=[], yticks=[], aspect="equal",
                     xlim=(centre[0] - half, centre[0] + half),
                     ylim=(centre[1] - half, centre[1] + half))  # fmt: skip
            title = style.two_lines(self.names[dataset], int(side * 15))
            axis.set_title(title, fontsize=7.5)
            axis.spines[:].set_visible(True)
            axis.spines[:].set_color("#d0d0d0")
        used = {name: colours[name] for name in style.ordered(self.values)}
        layout.category_legend(figure, used, category_label(self.category), markers=markers)
        return figure

    def describe(self) -> Description:
        """Say how well the map keeps the distances, and how well clusters fit the category."""
        what = category_label(self.category)
        title = (
            f"{self.label}: maps of {count(len(self.ids), 'model')} "
            f"({EMBEDDING_LABELS[self.embedding]} on 1 − similarity), coloured by {what}"
        )
        caption = (
            f"A panel per data set: models that are similar on it lie close together "
            f"({self.label}). "
        )
        if self.embedding == "mds":
            fit = [explained(distances(matrix), self.method) for matrix in self.matrices]
            finite = [value for value in fit if np.isfinite(value)]
            if finite:
                caption += (
                    f"Distances in the plane correlate with the real ones with r = "
                    f"{number(min(finite))} to {number(max(finite))}. "
                )
        finite = [value for value in self.cluster_agreement().values() if np.isfinite(value)]
        if finite:
            agree = number(float(np.median(finite)))
            title += f": clusters agree with it by {agree} (1: fully, 0: chance)"
            caption += (
                f"Spectral clusters, as many as there are values of {what}, agree with it with a "
                f"median adjusted Rand index of {agree} (1: the same, 0: chance)."
            )
        return Description(title, caption.strip(), f"Scatter plots, one per data set. {caption}")
