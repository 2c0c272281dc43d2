#!/usr/bin/env python3
"""Makes drift.json: what SciPy, scikit-learn and the peers say about drift.

The Go tests of ai/drift and ai/drift/peer compare with it. Needs what
bench/drift/requirements.txt lists; run it in this folder to make the file again:

    python3 drift.py > drift.json

Evidently's figures come from Evidently itself. NannyML and whylogs want other
versions of NumPy and pandas: their formulas are written out here, and checked
against the tools where interpreters that have them are named by
NANNYML_PYTHON and WHYLOGS_PYTHON.
"""

import json
import math
import os
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import scipy
import sklearn
from scipy import integrate, stats
from scipy.spatial.distance import jensenshannon
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import rbf_kernel

import evidently
from evidently.legacy.calculations import stattests
from evidently.legacy.calculations.stattests.registry import get_stattest
from evidently.legacy.core import ColumnType

warnings.filterwarnings("ignore")
rng = np.random.default_rng(20241107)


def short(values, digits=6):
    return [float(f"{v:.{digits}g}") for v in values]


def counts():
    """Statistics of two rows of counts."""
    out = []
    for ref, cur in [
        ([50, 30, 20], [40, 40, 20]),
        ([100, 200, 300, 400], [13, 17, 29, 41]),
        ([1000, 1, 0, 5], [80, 0, 3, 17]),
        ([7, 7, 7, 7, 7, 7, 7, 7, 7, 7], [0, 3, 1, 4, 1, 5, 9, 2, 6, 5]),
        ([999, 2], [30, 0]),
        ([500, 501], [9, 21]),
        ([10, 0, 0], [0, 0, 10]),
        ([12345, 67890, 13579], [1234, 6789, 1357]),
        ([5] * 40, [1, 0] * 20),
    ]:
        r, c = np.array(ref, float), np.array(cur, float)
        p, q = r / r.sum(), c / c.sum()
        keep = (r + c) > 0
        table = np.array([r[keep], c[keep]])
        chi = stats.chi2_contingency(table, correction=False)
        g = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood")
        ps, qs = np.where(p > 0, p, 0.5 / r.sum()), np.where(q > 0, q, 0.5 / c.sum())
        psi = float(np.sum(np.where(keep, (ps - qs) * np.log(ps / qs), 0)))
        f, h = np.cumsum(p), np.cumsum(q)
        values_r, values_c = np.repeat(np.arange(len(r)), r.astype(int)), np.repeat(np.arange(len(c)), c.astype(int))
        u = f[:-1]
        inner = (u > 0) & (u < 1 - 1e-12)
        w = (p[:-1] + p[1:]) / 2
        ad = float(np.sum((w * (f[:-1] - h[:-1]) ** 2)[inner] / (u * (1 - u))[inner]))
        one = {
            "ref": ref, "cur": cur,
            "chi_square": float(chi.statistic), "dof": int(chi.dof), "g": float(g.statistic),
            "jensen_shannon": float(jensenshannon(p, q, base=2)),
            "hellinger": float(np.linalg.norm(np.sqrt(p) - np.sqrt(q)) / np.sqrt(2)),
            "psi": psi,
            "ks": float(stats.ks_2samp(values_r, values_c).statistic),
            "cramer_von_mises": float(np.sum((r + c) / (r + c).sum() * (f - h) ** 2)),
            "anderson_darling": ad,
            "wasserstein": float(stats.wasserstein_distance(values_r, values_c)),
            "energy": float(stats.energy_distance(values_r, values_c)),
        }
        if len(ref) == 2:
            one["fisher"] = float(stats.fisher_exact([[c[0], c[1]], [r[0], r[1]]]).pvalue)
            pool = (r[0] + c[0]) / (r.sum() + c.sum())
            one["z"] = float((q[0] - p[0]) / math.sqrt(pool * (1 - pool) * (1 / r.sum() + 1 / c.sum())))
        out.append(one)
    return out


def fisher():
    out = []
    for hits, misses, ref_hits, ref_misses in [
        (0, 30, 50, 951), (3, 27, 50, 951), (12, 18, 50, 951), (30, 0, 0, 1001), (5, 95, 5, 95), (1, 29, 0, 100000),
        (700, 300, 60000, 40000), (123, 877, 11000, 89000), (4900, 5100, 50000, 50000), (200, 9800, 10, 991),
    ]:
        p = float(stats.fisher_exact([[hits, misses], [ref_hits, ref_misses]]).pvalue)
        out.append({"table": [hits, misses, ref_hits, ref_misses], "p": p})
    return out


def unseen():
    out = []
    for hits, m, a, b in [(1, 30, 2, 1000), (3, 30, 2, 1000), (5, 100, 2, 1000), (60, 10000, 2, 1000), (40, 10000, 1, 1000),
                          (7, 500, 4.4, 300), (30, 30, 1, 1000), (2, 10000, 2, 99999)]:
        out.append({"hits": hits, "m": m, "a": a, "b": b, "p": float(stats.betabinom.sf(hits - 1, m, a, b))})
    return out


def quadratic():
    """Tails of weighted sums of chi-squares, by Imhof's integral."""
    def tail(lam, x):
        lam = np.array(lam)

        def f(u):
            theta = 0.5 * np.sum(np.arctan(lam * u)) - 0.5 * x * u
            rho = np.prod((1 + (lam * u) ** 2) ** 0.25)
            return np.sin(theta) / (u * rho)

        total = 0.0
        edges = np.concatenate([[1e-12], np.arange(1, 4000) * math.pi / x * 2])
        for lo, hi in zip(edges[:-1], edges[1:]):
            part = integrate.quad(f, lo, hi, limit=200)[0]
            total += part
            if abs(part) < 1e-13:
                break
        return 0.5 + total / math.pi

    out = []
    ad = [1 / (j * (j + 1)) for j in range(1, 64)]
    cvm = [1 / (math.pi * j) ** 2 for j in range(1, 64)]
    for lam, xs in [(ad, [0.5, 1, 2, 3.857, 6, 8]), (cvm, [0.05, 0.2, 0.46, 0.74, 1.2]), ([1.0] * 9, [4, 9, 16.9, 27.9, 40]),
                    ([0.7, 0.2, 0.1], [0.5, 1, 3, 6, 10])]:
        out.append({"lambda": lam, "x": xs, "p": [float(tail(lam, x)) for x in xs]})
    return out


def fdr():
    p = short(np.concatenate([rng.uniform(size=20), rng.uniform(size=5) ** 6]))
    return {"p": p, "adjusted": [float(x) for x in stats.false_discovery_control(p, method="bh")]}


def classifier():
    n = 60
    x = np.vstack([rng.normal(size=(n // 2, 3)), rng.normal(size=(n // 2, 3)) + [0.8, 0, 0]]).round(4)
    y = np.repeat([0, 1], n // 2)
    fold = rng.permutation(n) % 3
    sq = ((x[:, None, :] - x[None, :, :]) ** 2).sum(-1)
    below = np.sort(sq[np.tril_indices(n, -1)])
    width = below[len(below) // 2]
    k = np.exp(-sq / (2 * width)) + x @ x.T / x.shape[1]
    scores = np.zeros(n)
    for f in range(3):
        train, test = fold != f, fold == f
        model = KernelRidge(alpha=3.0, kernel="precomputed").fit(k[np.ix_(train, train)], y[train] - y.mean())
        scores[test] = model.predict(k[np.ix_(test, train)])
    tied = rng.integers(0, 6, size=n)
    return {
        "x": x.tolist(), "y": y.tolist(), "fold": fold.tolist(), "scores": scores.tolist(), "auc": float(roc_auc_score(y, scores)),
        "fold_auc": [float(roc_auc_score(y[fold == f], scores[fold == f])) for f in range(3)],
        "tied": tied.tolist(), "tied_auc": float(roc_auc_score(y, tied)),
    }


def mmd():
    dim, bandwidth = 6, 3.0
    out = []
    for shift in [0, 0.5, 1.5]:
        a, b = rng.normal(size=(80, dim)).round(3), (rng.normal(size=(60, dim)) + shift).round(3)
        g = 1 / (2 * bandwidth**2)
        d2 = rbf_kernel(a, a, g).mean() + rbf_kernel(b, b, g).mean() - 2 * rbf_kernel(a, b, g).mean()
        out.append({"ref": a.tolist(), "cur": b.tolist(), "bandwidth": bandwidth, "squared": float(d2)})
    return out


def kolmogorov():
    return [{"d": d, "n": n, "p": float(stats.kstwo.sf(d, n))} for d, n in [
        (0.05, 30), (0.2, 30), (0.3, 10), (0.1, 100), (0.04, 139), (0.06, 140), (0.09, 141), (0.02, 500), (0.05, 601), (0.07, 601),
        (0.03, 1000), (0.02, 5000), (0.005, 10000), (0.0134, 20000), (0.001, 700), (0.9, 5)]]


def samples():
    categories = lambda k, n, p=None: [f"c{i}" for i in rng.choice(k, size=n, p=p)]
    tilted = np.arange(1, 11) / 55
    return [
        ("normal, small", short(rng.normal(size=150)), short(rng.normal(size=60) + 0.4)),
        ("normal, equal sizes", short(rng.normal(size=100)), short(rng.normal(size=100))),
        ("normal, large reference", short(rng.normal(size=1001)), short(rng.normal(size=50))),
        ("log-normal, large reference", short(rng.lognormal(size=1200)), short(rng.lognormal(size=80) * 1.3)),
        ("tied integers", [float(x) for x in rng.poisson(3, 400)], [float(x) for x in rng.poisson(4, 90)]),
        ("tied integers, large reference", [float(x) for x in rng.poisson(3, 1100)], [float(x) for x in rng.poisson(3, 90)]),
        ("four values", [float(x) for x in rng.integers(0, 4, 300)], [float(x) for x in rng.integers(0, 4, 80)]),
        ("four values, large reference", [float(x) for x in rng.integers(0, 4, 1100)], [float(x) for x in rng.integers(0, 4, 80)]),
        ("two values", [float(x) for x in rng.integers(0, 2, 300)], [float(x) for x in rng.integers(0, 2, 80)]),
        ("2 categories", categories(2, 200), categories(2, 60)),
        ("10 categories", categories(10, 500), categories(10, 100, tilted)),
        ("10 categories, large reference", categories(10, 1300), categories(10, 100)),
        ("unseen category", categories(5, 300), categories(6, 60)),
    ]


def evidently_says(ref, cur):
    kind = ColumnType.Categorical if isinstance(ref[0], str) else ColumnType.Numerical

    def run(name):
        test = get_stattest(pd.Series(ref), pd.Series(cur), kind, name)
        r = test(pd.Series(ref), pd.Series(cur), kind, None)
        return {"method": test.name, "score": float(r.drift_score), "threshold": float(r.actual_threshold), "drift": bool(r.drifted)}

    out = {"default": run(None), "jensenshannon": run("jensenshannon"), "psi": run("psi"), "kl_div": run("kl_div")}
    if kind == ColumnType.Numerical:
        out["wasserstein"], out["ks"] = run("wasserstein"), run("ks")
    return out


def nannyml_says(ref, cur):
    text = isinstance(ref[0], str)
    r, c = np.array(ref), np.array(cur)
    edges = None if text else np.histogram_bin_edges(r, bins="doane")
    values = np.unique(r)

    def shares(x):
        if text:
            return np.array([(x == v).sum() for v in values]) / len(x)
        return np.histogram(x, edges)[0] / len(x)

    def both(x):
        p, q = shares(r), shares(x)
        rest = 1 - q.sum()
        if rest > 0:
            p, q = np.append(p, 0), np.append(q, rest)
        return p, q

    js = lambda x: float(jensenshannon(*both(x), base=2))
    hellinger = lambda x: float(np.linalg.norm(np.subtract(*map(np.sqrt, both(x)))) / math.sqrt(2))
    size = len(r) // 10
    chunks = [r[i:i + size] for i in range(0, len(r), size)]

    def threshold(f):
        d = [f(x) for x in chunks]
        return float(np.mean(d) + 3 * np.std(d))

    out = {"jensen_shannon": [js(c), threshold(js)], "hellinger": [hellinger(c), threshold(hellinger)]}
    if text:
        all_values = np.unique(np.concatenate([r, c]))
        out["l_infinity"] = float(max(abs((r == v).mean() - (c == v).mean()) for v in all_values))
    return out


NANNYML = """
import json, sys, warnings
warnings.filterwarnings("ignore")
import nannyml, pandas as pd
ref, cur = json.load(sys.stdin)
cont, cat = ["jensen_shannon", "hellinger"], ["jensen_shannon", "hellinger", "l_infinity"]
calc = nannyml.UnivariateDriftCalculator(column_names=["x"], continuous_methods=cont, categorical_methods=cat)
calc.fit(pd.DataFrame({"x": pd.Series(ref, dtype=None if not isinstance(ref[0], str) else "category")}))
frame = pd.DataFrame({"x": pd.Series(cur, dtype=None if not isinstance(ref[0], str) else "category")})
if isinstance(ref[0], str):
    methods, made = cat, calc._column_to_models_mapping["x"]
else:
    methods, made = cont, calc._column_to_models_mapping["x"]
out = {"version": nannyml.__version__}
for m in made:
    out[m.column_name] = [float(m.calculate(frame["x"])), m.upper_threshold_value]
print(json.dumps(out))
"""

WHYLOGS = """
import json, sys, warnings
warnings.filterwarnings("ignore")
import pandas as pd, whylogs
from whylogs.viz.drift.column_drift_algorithms import calculate_drift_scores
ref, cur = json.load(sys.stdin)
a, b = (whylogs.log(pd.DataFrame({"x": v})).view() for v in (ref, cur))
s = calculate_drift_scores(target_view=b, reference_view=a, with_thresholds=True)["x"]
s["version"] = whylogs.__version__
print(json.dumps({k: s[k] for k in ("algorithm", "pvalue", "statistic", "drift_category", "version")}))
"""


def ask(variable, program, ref, cur):
    python = os.environ.get(variable)
    if not python:
        return None
    done = subprocess.run([python, "-c", program], input=json.dumps([ref, cur]), capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{variable}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def whylogs_says(ref, cur):
    n, m = len(ref), len(cur)
    if isinstance(ref[0], str):
        expected = {v: int(ref.count(v) / n * m) for v in set(ref)}
        x2 = 0.0
        for v in set(ref) | set(cur):
            e = expected.get(v, 0)
            if e == 0:
                x2 = math.inf
                break
            x2 += (cur.count(v) - e) ** 2 / e
        p = float(stats.chi2.sf(x2, max(len(set(cur)) - 1, 1)))
        algorithm = "chi-square"
    else:
        a, b = np.sort(ref), np.sort(cur)
        d = 0.0
        for s in (a, b):
            for q in np.linspace(0, 1, 100):
                x = s[min(int(q * len(s)), len(s) - 1)]
                d = max(d, abs(np.searchsorted(a, x) / n - np.searchsorted(b, x) / m))
        x2, p, algorithm = d, float(stats.kstwo.sf(d, np.round(n * m / (n + m)))), "ks"
    verdict = "DRIFT" if p < 0.05 else "POSSIBLE_DRIFT" if p < 0.15 else "NO_DRIFT"
    return {"algorithm": algorithm, "statistic": None if math.isinf(x2) else float(x2), "pvalue": p, "drift_category": verdict}


def close(name, a, b, tolerance=1e-9):
    if abs(a - b) > tolerance:
        sys.exit(f"{name}: the formula gives {a}, the tool {b}")


def peers():
    out, checked = [], {}
    for name, ref, cur in samples():
        one = {"name": name, "ref": ref, "cur": cur, "evidently": evidently_says(ref, cur), "nannyml": nannyml_says(ref, cur),
               "whylogs": whylogs_says(ref, cur)}
        if tool := ask("NANNYML_PYTHON", NANNYML, ref, cur):
            checked["nannyml"] = tool["version"]
            for m in ("jensen_shannon", "hellinger"):
                close(f"{name}: nannyml {m}", one["nannyml"][m][0], tool[m][0])
                close(f"{name}: nannyml {m} threshold", one["nannyml"][m][1], tool[m][1])
            if "l_infinity" in tool:
                close(f"{name}: nannyml l_infinity", one["nannyml"]["l_infinity"], tool["l_infinity"][0])
        # Sketches are exact up to some hundred values.
        if len(ref) <= 200 and (tool := ask("WHYLOGS_PYTHON", WHYLOGS, ref, cur)):
            checked["whylogs"] = tool["version"]
            close(f"{name}: whylogs p", one["whylogs"]["pvalue"], tool["pvalue"])
            if one["whylogs"]["drift_category"] != tool["drift_category"]:
                sys.exit(f"{name}: whylogs says {tool}")
        out.append(one)
    return out, checked


def ks():
    """ks_2samp beyond what the peers' samples cover; data made by a formula that both sides know."""
    out = []
    for n, m, step in [(30, 30, 0.618), (1001, 37, 0.618), (400, 250, 0.4142), (12000, 300, 0.618)]:
        a = [(i * 0.7548776662) % 1 for i in range(n)]
        b = [((i * step) % 1) ** 1.1 for i in range(m)]
        r = stats.ks_2samp(a, b)
        out.append({"n": n, "m": m, "step": step, "d": float(r.statistic), "p": float(r.pvalue), "wasserstein": float(stats.wasserstein_distance(a, b))})
    return out


def main():
    all_peers, checked = peers()
    versions = {"numpy": np.__version__, "scipy": scipy.__version__, "scikit-learn": sklearn.__version__, "pandas": pd.__version__,
                "evidently": evidently.__version__}
    versions.update({f"{k} (checked)": v for k, v in checked.items()})
    sections = {
        "versions": versions, "counts": counts(), "fisher": fisher(), "unseen": unseen(), "quadratic": quadratic(), "fdr": fdr(),
        "classifier": classifier(), "mmd": mmd(), "kolmogorov": kolmogorov(), "ks": ks(), "peers": all_peers,
    }
    lines = []
    for name, value in sections.items():
        if isinstance(value, list):
            body = ",\n".join("    " + json.dumps(v, allow_nan=False) for v in value)
            lines.append(f'  "{name}": [\n{body}\n  ]')
        else:
            lines.append(f'  "{name}": {json.dumps(value, allow_nan=False)}')
    print("{\n" + ",\n".join(lines) + "\n}")


if __name__ == "__main__":
    main()
