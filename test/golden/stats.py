#!/usr/bin/env python3
"""Makes stats.json: what NumPy and SciPy say about profiles and quality tests.

The Go tests of ai, ai/profile and ai/quality compare with it. Needs numpy and
scipy; run it in this folder to make the file again:

    python3 stats.py > stats.json
"""

import json
import math
import sys

import numpy as np
from scipy import stats

rng = np.random.default_rng(20240602)


def short(values, digits=7):
    return [float(f"{v:.{digits}g}") for v in values]


def moments(name, values):
    """Moments with exact sums, and quantiles as the inverse of the empirical CDF."""
    n = len(values)
    mean = math.fsum(values) / n
    m2 = math.fsum((v - mean) ** 2 for v in values)
    qs = [0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1]
    quantiles = np.quantile(values, qs, method="inverted_cdf")
    return {
        "name": name, "values": values, "mean": mean, "std": math.sqrt(m2 / n),
        "min": min(values), "max": max(values),
        "quantiles": [[q, float(v)] for q, v in zip(qs, quantiles)],
    }


def fisher():
    out = []
    for k0, n0, k1, n1 in [
        (0, 1001, 1, 30), (0, 1001, 3, 30), (5, 1001, 4, 30), (50, 1000, 70, 1000),
        (50, 1000, 50, 1000), (50, 1000, 20, 1000), (1, 10, 9, 10), (0, 5, 5, 5),
        (3000, 100_000, 420, 10_000), (0, 100_000, 2, 500), (999, 1000, 1000, 1000),
        (200_000, 1_000_000, 21_000, 100_000), (10, 20, 0, 20),
    ]:
        # P(K >= k1) with K hypergeometric: k0+k1 hits among n0+n1, n1 drawn.
        p = stats.hypergeom.sf(k1 - 1, n0 + n1, k0 + k1, n1) if k1 > 0 else 1.0
        table = [[k1, n1 - k1], [k0, n0 - k0]]
        if k1 > 0:
            assert math.isclose(p, stats.fisher_exact(table, alternative="greater").pvalue, rel_tol=1e-6)
        out.append({"k0": k0, "n0": n0, "k1": k1, "n1": n1, "p": float(p)})
    return out


def outside():
    out = []
    for k, m, n in [
        (1, 30, 1001), (2, 30, 1001), (5, 200, 1001), (20, 1000, 1001), (1, 1000, 1001),
        (60, 10_000, 1001), (3, 10_000, 100_000), (4, 50, 30), (40, 50, 30), (50, 50, 30), (15, 20_000, 2000),
    ]:
        out.append({"k": k, "m": m, "n": n, "p": float(stats.betabinom.pmf(np.arange(k, m + 1), m, 2, n - 1).sum())})
    for k, m, n in [(100, 25_000, 1001), (500, 50_000, 1001), (60, 1_000_000, 100_000)]:
        # The window is so large that the count is taken for the share.
        out.append({"k": k, "m": m, "n": n, "p": float(stats.beta.sf(k / m, 2, n - 1))})
    return out


def kernel():
    """Squared maximum mean discrepancy (biased, RBF kernel) of two samples."""

    def mmd2(x, y, sigma):
        def k(a, b):
            d = ((a[:, None, :] - b[None, :, :]) ** 2).sum(-1)
            return np.exp(-d / (2 * sigma**2)).mean()

        return float(k(x, x) + k(y, y) - 2 * k(x, y))

    x = np.round(rng.normal(size=(60, 6)), 4)
    same = np.round(rng.normal(size=(60, 6)), 4)
    moved = np.round(rng.normal(loc=0.8, size=(60, 6)), 4)
    pairs = np.sqrt(((x[:, None, :] - x[None, :, :]) ** 2).sum(-1))
    sigma = float(np.median(pairs[np.triu_indices(len(x), 1)]))
    return {
        "reference": x.tolist(), "same": same.tolist(), "moved": moved.tolist(), "bandwidth": sigma,
        "mmd2_same": mmd2(x, same, sigma), "mmd2_moved": mmd2(x, moved, sigma),
    }


json.dump(
    {
        "moments": [
            moments("normal", short(rng.normal(size=400))),
            moments("log-normal", short(rng.lognormal(sigma=1.5, size=400))),
            moments("far from zero", [1.7e9 + v for v in short(rng.normal(size=200), 4)]),
            moments("tied integers", [float(v) for v in rng.poisson(3, size=400)]),
            moments("zero-inflated", short(rng.exponential(size=400) * (rng.random(400) < 0.4))),
            moments("one value", [3.25]),
            moments("tiny and huge", [1e-130, -1e-130, 1e130, -1e130, 5.0]),
        ],
        "fisher": fisher(),
        "outside": outside(),
        "kernel": kernel(),
    },
    sys.stdout,
    separators=(",", ":"),
)
