"""Plain, slow references in float64: an n x n matrix per model, loops over pairs of models."""

from __future__ import annotations

import re

import numpy as np
from scipy.spatial.distance import pdist, squareform
from scipy.stats import rankdata


def normalize_rows(x):
    norm = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(norm > 0, norm, 1)


def gram(name, x):
    match = re.match(r"cka_rbf_median_([0-9.]+)", name)
    if match:
        sigma = float(match[1]) * np.median(pdist(x))
        return np.exp(-squareform(pdist(x, "sqeuclidean")) / (2 * sigma**2))
    match = re.match(r"cka_rbf_([0-9.e-]+)", name)
    if match:
        return np.exp(-squareform(pdist(x, "sqeuclidean")) / (2 * float(match[1]) ** 2))
    centred = x - x.mean(axis=0)  # the same HSIC in theory, digits kept in practice
    return centred @ centred.T


def hsic_unbiased(K, L):
    n = len(K)
    K, L = K - np.diag(np.diag(K)), L - np.diag(np.diag(L))
    one = np.ones(n)
    return (
        np.trace(K @ L)
        + (one @ K @ one) * (one @ L @ one) / ((n - 1) * (n - 2))
        - 2 / (n - 2) * (one @ K @ L @ one)
    ) / (n * (n - 3))


def hsic_biased(K, L):
    n = len(K)
    H = np.eye(n) - 1 / n
    return np.trace(K @ H @ L @ H) / n**2


def cka(name, x, y):
    hsic = hsic_biased if name.endswith("_biased") else hsic_unbiased
    K, L = gram(name, x), gram(name, y)
    if hsic is hsic_unbiased:  # centred explicitly: same value, no cancellation
        K, L = u_centred(K), u_centred(L)
        return (K * L).sum() / np.sqrt((K * K).sum() * (L * L).sum())
    return hsic(K, L) / np.sqrt(hsic(K, K) * hsic(L, L))


def u_centred(K):
    """Szekely and Rizzo 2014, definition 2."""
    n = len(K)
    K = K - np.diag(np.diag(K))
    row = K.sum(axis=1)
    out = K - row[:, None] / (n - 2) - row / (n - 2) + K.sum() / ((n - 1) * (n - 2))
    return out - np.diag(np.diag(out))


def distances(kind, x):
    """Condensed distances by explicit differences, so that small ones keep their digits."""
    if kind == "euclidean":
        return pdist(x)
    if kind == "correlation":
        x = x - x.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(x, axis=1)
    flat = norm <= 1e-12 * np.abs(x).max()
    x = np.where(flat[:, None], 0, x / np.where(flat, 1, norm)[:, None])
    d = squareform(pdist(x, "sqeuclidean") / 2)
    d[flat, :] = d[:, flat] = 1
    return squareform(d, checks=False)


def rsa(name, x, y):
    _, kind, correlation = name.split("_")
    a, b = distances(kind, x), distances(kind, y)
    if correlation == "spearman":
        a, b = rankdata(np.round(a, 12)), rankdata(np.round(b, 12))  # ties despite rounding
    return np.corrcoef(a, b)[0, 1]


def similarity(name, x, y):
    return rsa(name, x, y) if name.startswith("rsa") else cka(name, x, y)


def matrix(name, features, normalize=True):
    arrays = [np.asarray(features[m], dtype=np.float64) for m in sorted(features)]
    if normalize:
        arrays = [normalize_rows(x) for x in arrays]
    return np.array([[similarity(name, x, y) for y in arrays] for x in arrays])
