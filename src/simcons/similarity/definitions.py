"""Every measure of similarity as its paper defines it, in plain NumPy: read this first.

In every function x (n, d_1) and y (n, d_2) are the features of two models on the same n images,
float64, row by row, divided by their L2 norms before if a study asks for that; the result is a
float, larger where the models are more similar, and 1 of a model with itself. Nothing here is fast
or spares memory: the engine does, and the tests compare it with these functions. A measure for
which the engine has no faster way is computed by its definition, pair by pair.
"""

from __future__ import annotations

import numpy as np

from simcons.core.arrays import Array


def centred(x: Array) -> Array:
    """Return x less the mean of each column."""
    return x - x.mean(axis=0)


def distances(x: Array, distance: str) -> Array:
    """Return the distances of all pairs of images, (n (n - 1) / 2,).

    ``euclidean``, ``sqeuclidean``, ``cosine`` (1 - cosine) or ``correlation`` (1 - Pearson's r over
    the dimensions). An image without a direction has no cosine with any other: its distance is 1.
    """
    from scipy.spatial.distance import pdist

    return np.nan_to_num(pdist(x, distance), nan=1.0)


def rbf_kernel(x: Array, sigma: float) -> Array:
    """Return exp(-|x_a - x_b|^2 / (2 sigma^2)) - 1, (n, n).

    The constant changes no HSIC, and without it the digits of small distances are kept.
    """
    from scipy.spatial.distance import squareform

    return np.expm1(-squareform(distances(x, "sqeuclidean")) / (2 * sigma**2))


def hsic(K: Array, L: Array, biased: bool = False) -> float:
    """Return the Hilbert-Schmidt independence criterion of two kernels (n, n).

    Unbiased: Song, Smola, Gretton, Borgwardt, Bedo, ICML 2007, eq. 5. Biased: Gretton, Bousquet,
    Smola, Schoelkopf, ALT 2005, as in Kornblith, Norouzi, Lee, Hinton, ICML 2019, eq. 3.
    """
    n = len(K)
    if biased:
        H = np.eye(n) - 1 / n
        return np.trace(K @ H @ L @ H) / (n - 1) ** 2
    K, L = (M - np.diag(np.diag(M)) for M in (K, L))
    total, chain = K.sum() * L.sum(), K.sum(axis=0) @ L.sum(axis=1)
    trace = (K * L.T).sum()
    return (trace + total / ((n - 1) * (n - 2)) - 2 / (n - 2) * chain) / (n * (n - 3))


def cka(K: Array, L: Array, biased: bool = False) -> float:
    """Return centred kernel alignment (Kornblith, Norouzi, Lee, Hinton, ICML 2019, eq. 4)."""
    return hsic(K, L, biased) / np.sqrt(hsic(K, K, biased) * hsic(L, L, biased))


def cka_linear(x: Array, y: Array, biased: bool = False) -> float:
    """Return CKA with linear kernels. That they are centred changes no HSIC, and keeps digits."""
    return cka(centred(x) @ centred(x).T, centred(y) @ centred(y).T, biased)


def cka_rbf(x: Array, y: Array, sigma: float, biased: bool = False) -> float:
    """Return CKA with RBF kernels of bandwidth sigma, in the features' units."""
    return cka(rbf_kernel(x, sigma), rbf_kernel(y, sigma), biased)


def cka_rbf_median(x: Array, y: Array, fraction: float, biased: bool = False) -> float:
    """Return CKA with RBF kernels, the bandwidth a fraction of each model's median distance.

    Kornblith et al., ICML 2019, section 3 (kernel selection).
    """
    sigma = [fraction * np.median(distances(v, "euclidean")) for v in (x, y)]
    return cka(rbf_kernel(x, sigma[0]), rbf_kernel(y, sigma[1]), biased)


def rsa(x: Array, y: Array, distance: str, correlation: str) -> float:
    """Return the correlation (``pearson``, ``spearman``) of two models' distances of images.

    Representational similarity analysis: Kriegeskorte, Mur, Bandettini, Frontiers in Systems
    Neuroscience 2008. Distances that differ by rounding alone are ties.
    """
    from scipy.stats import rankdata

    a, b = distances(x, distance), distances(y, distance)
    if correlation == "spearman":
        a, b = (rankdata(np.round(v / v.max(), 12)) for v in (a, b))
    return np.corrcoef(a, b)[0, 1]


def procrustes(x: Array, y: Array) -> float:
    """Return the largest tr(Q' x' y) over orthogonal Q, of centred x and y of Frobenius norm 1.

    The cosine of the angular shape distance of Williams, Kunz, Kornblith, Linderman, NeurIPS 2021,
    section 2; it is the nuclear norm of x' y (Schoenemann, Psychometrika 1966).
    """
    x, y = (centred(v) / np.linalg.norm(centred(v)) for v in (x, y))
    return float(np.linalg.norm(x.T @ y, "nuc"))


def angular_shape(x: Array, y: Array) -> float:
    """Return 1 - 2 / pi times the angle of `procrustes`, a metric (Williams et al. 2021)."""
    return 1 - 2 / np.pi * np.arccos(min(procrustes(x, y), 1.0))


def nbs(x: Array, y: Array) -> float:
    """Return the normalised Bures similarity tr (K^1/2 L K^1/2)^1/2 / (tr K tr L)^1/2.

    Of linear kernels K, L of centred features (Tang et al. 2020; Harvey, Larsen, Williams,
    UniReps 2023). The eigenvalues of K^1/2 L K^1/2 are those of K L.
    """
    K, L = (centred(v) @ centred(v).T / np.square(centred(v)).sum() for v in (x, y))
    return np.sqrt(np.linalg.eigvals(K @ L).real.clip(min=0)).sum()


def canonical_correlations(x: Array, y: Array) -> tuple[Array, Array]:
    """Return canonical correlations (r,), and x's canonical variates (n, r) of length 1.

    From orthonormal bases of both (Bjoerck and Golub, Mathematics of Computation 1973).
    """
    from scipy.linalg import orth

    basis_x, basis_y = (orth(centred(v), rcond=1e-10) for v in (x, y))
    left, rho, _right = np.linalg.svd(basis_x.T @ basis_y, full_matrices=False)
    return rho, basis_x @ left


def svcca(x: Array, y: Array, percent: float) -> float:
    """Return the mean canonical correlation of the components with a percentage of the variance.

    Raghu, Gilmer, Yosinski, Sohl-Dickstein, NeurIPS 2017, section 2.
    """

    def reduced(x: Array) -> Array:
        u, s, _vt = np.linalg.svd(centred(x), full_matrices=False)
        share = np.cumsum(s**2) / (s**2).sum()
        return (u * s)[:, : 1 + np.searchsorted(share, percent / 100 - 1e-12)]

    return canonical_correlations(reduced(x), reduced(y))[0].mean()


def pwcca(x: Array, y: Array) -> float:
    """Return the mean canonical correlation, weighted by what the variates tell about model_1.

    The weight of a variate h is sum_j |<h, x_j>| over the dimensions of x (Morcos, Raghu, Bengio,
    NeurIPS 2018, eq. 2 and 3).
    """
    rho, variates = canonical_correlations(x, y)
    return np.average(rho, weights=np.abs(variates.T @ centred(x)).sum(axis=1))


def linear_r2(x: Array, y: Array) -> float:
    """Return the share of model_1's variance that least squares on model_2 explains.

    Kornblith et al., ICML 2019, eq. 5, on the images themselves: near 1 by chance where y has
    nearly as many dimensions as there are images.
    """
    x, y = centred(x), centred(y)
    residual = x - y @ np.linalg.lstsq(y, x, rcond=1e-10)[0]
    return 1 - np.square(residual).sum() / np.square(x).sum()


def is_neighbour(x: Array, k: int) -> Array:
    """Return (n, n) bool: whether b is among the k images with the largest dot products with a."""
    dot = x @ x.T
    np.fill_diagonal(dot, -np.inf)
    return dot.argsort(axis=1).argsort(axis=1) >= len(x) - k


def mutual_knn(x: Array, y: Array, k: int) -> float:
    """Return the mean share of each image's k neighbours that two models have in common.

    Huh, Cheung, Wang, Isola, ICML 2024, appendix A.
    """
    return (is_neighbour(x, k) & is_neighbour(y, k)).sum() / (k * len(x))


def mutual_knn_corrected(x: Array, y: Array, k: int) -> float:
    """Return `mutual_knn` with chance at 0: random neighbours agree in k / (n - 1) on average."""
    chance = k / (len(x) - 1)
    return (mutual_knn(x, y, k) - chance) / (1 - chance)


def cknna(x: Array, y: Array, k: int) -> float:
    """Return CKA with linear kernels restricted to mutual nearest neighbours.

    Entry (a, b) counts where b is among a's k neighbours in both models, of a model with itself in
    the one (Huh, Cheung, Wang, Isola, ICML 2024, appendix A).
    """
    K, L, near_x, near_y = x @ x.T, y @ y.T, is_neighbour(x, k), is_neighbour(y, k)
    mutual = near_x & near_y
    own = hsic(near_x * K, near_x * K) * hsic(near_y * L, near_y * L)
    return hsic(mutual * K, mutual * L) / np.sqrt(own)
