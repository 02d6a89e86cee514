"""Models as points in the plane: MDS and t-SNE on 1 - similarity, per data set.

Every panel is rotated (and mirrored) onto the map of the mean similarity, so that a model that
stays in its place keeps its place on the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from simcons.figures import layout, style
from simcons.figures.inputs import (
    CATEGORY_LABELS,
    Description,
    Similarities,
    count,
    dataset_names,
    measure_label,
    number,
    ordered_datasets,
)
from simcons.figures.similarity_heatmaps import over_datasets, stack

Method = Literal["mds", "tsne"]
METHOD_LABELS = {"mds": "MDS", "tsne": "t-SNE"}


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


def explained(distance: np.ndarray) -> float:
    """Return the correlation of distances in the plane of MDS with the real ones."""
    points = classical_mds(distance)
    flat = np.sqrt(((points[:, None] - points[None]) ** 2).sum(-1))
    upper = np.triu_indices(len(distance), 1)
    if len(upper[0]) < 3 or np.ptp(distance[upper]) == 0 or np.ptp(flat[upper]) == 0:
        return float("nan")
    return float(np.corrcoef(flat[upper], distance[upper])[0, 1])


def clusters(similarity: np.ndarray, n_clusters: int, seed: int = 0) -> np.ndarray:
    """Return the cluster of each model by spectral clustering of the similarities, (m,)."""
    from sklearn.cluster import SpectralClustering

    affinity = np.clip(1.0 - distances(similarity), 0.0, None)
    method = SpectralClustering(n_clusters, affinity="precomputed", random_state=seed,
                                assign_labels="cluster_qr")  # fmt: skip
    # A copy: scikit-learn squares precomputed distances in place.
    return np.asarray(method.fit_predict(affinity))


def cluster_agreement(
    by_dataset: Mapping[str, Similarities], models: pd.DataFrame, datasets: pd.DataFrame,
    category: str,
) -> dict[str, float]:  # fmt: skip
    """Return, per data set, the adjusted Rand index of spectral clusters and a category.

    As many clusters as the category has values; NaN where that is 1, or all models.
    """
    from sklearn.metrics import adjusted_rand_score

    order = ordered_datasets(datasets, by_dataset)
    labels = models.loc[by_dataset[order[0]].models, category].astype(str).to_numpy()
    n_clusters = len(set(labels))
    if not 1 < n_clusters < len(labels) - 1:
        return dict.fromkeys(order, float("nan"))
    matrices = stack(by_dataset, order)
    return {
        dataset: float(adjusted_rand_score(labels, clusters(matrix, n_clusters)))
        for dataset, matrix in zip(order, matrices, strict=True)
    }


@style.styled
def draw(
    by_dataset: Mapping[str, Similarities],
    models: pd.DataFrame,
    datasets: pd.DataFrame,
    measure: str,
    category: str = "objective",
    method: Method = "mds",
) -> Figure:
    """Draw a map of the models per data set, coloured (and shaped) by a category."""
    order = ordered_datasets(datasets, by_dataset)
    matrices = stack(by_dataset, order)
    target = classical_mds(distances(over_datasets(matrices, "mean")))
    n_columns = layout.columns_for(len(order))
    side = min((style.FULL_WIDTH - 0.2) / n_columns, 2.4)
    title = describe(by_dataset, models, datasets, measure, category, method).title
    figure = style.new_figure(
        style.FULL_WIDTH, -(-len(order) // n_columns) * (side + 0.2) + 0.85,
        style.wrap_title(title, style.FULL_WIDTH),
    )  # fmt: skip
    axes = layout.panel_grid(figure, len(order), n_columns)
    labels = models.loc[by_dataset[order[0]].models, category].astype(str).to_numpy()
    colours = style.category_colours(category, models[category].astype(str))
    markers = style.category_markers(models[category].astype(str))
    for axis, dataset, matrix in zip(axes, order, matrices, strict=True):
        distance = distances(matrix)
        points = classical_mds(distance) if method == "mds" else tsne(distance)
        points = aligned(points, target)
        for name in sorted(set(labels)):
            inside = labels == name
            x, y = points[inside, 0], points[inside, 1]
            axis.scatter(x, y, s=14, color=colours[name], marker=markers[name],
                         linewidths=0.3, edgecolors="white")  # fmt: skip
        centre = (points.max(axis=0) + points.min(axis=0)) / 2
        half = 0.58 * max(float(np.ptp(points, axis=0).max()), 1e-9)
        axis.set(xticks=[], yticks=[], aspect="equal", xlim=(centre[0] - half, centre[0] + half),
                 ylim=(centre[1] - half, centre[1] + half))  # fmt: skip
        axis.set_title(
            style.two_lines(dataset_names(datasets)[dataset], int(side * 15)), fontsize=7.5
        )
        axis.spines[:].set_visible(True)
        axis.spines[:].set_color("#d0d0d0")
    used = {name: colours[name] for name in style.ordered(labels)}
    layout.category_legend(figure, used, CATEGORY_LABELS.get(category, category), markers=markers)
    return figure


def describe(
    by_dataset: Mapping[str, Similarities],
    models: pd.DataFrame,
    datasets: pd.DataFrame,
    measure: str,
    category: str = "objective",
    method: Method = "mds",
) -> Description:
    """Say how well the map keeps the distances, and how well spectral clusters fit a category."""
    order = ordered_datasets(datasets, by_dataset)
    m = len(by_dataset[order[0]].models)
    label, what = measure_label(measure), CATEGORY_LABELS.get(category, category)
    title = (
        f"{label}: maps of {count(m, 'model')} ({METHOD_LABELS[method]} on 1 − similarity), "
        f"coloured by {what}"
    )
    caption = f"A panel per data set: models that are similar on it lie close together ({label}). "
    if method == "mds":
        fit = [explained(distances(matrix)) for matrix in stack(by_dataset, order)]
        finite = [value for value in fit if np.isfinite(value)]
        if finite:
            caption += (
                f"Distances in the plane correlate with the real ones with r = "
                f"{number(min(finite))} to {number(max(finite))}. "
            )
    rand = cluster_agreement(by_dataset, models, datasets, category)
    finite = [value for value in rand.values() if np.isfinite(value)]
    if finite:
        agree = number(float(np.median(finite)))
        title += f": clusters agree with it by {agree} (1: fully, 0: chance)"
        caption += (
            f"Spectral clusters, as many as there are values of {what}, agree with it with a "
            f"median adjusted Rand index of {agree} (1: the same, 0: chance)."
        )
    return Description(title, caption.strip(), f"Scatter plots, one per data set. {caption}")
