#!/usr/bin/env python3
"""Makes performance.json: what NumPy, SciPy, scikit-learn and statsmodels say.

The Go tests of ai/performance compare with it. Needs numpy, scipy, scikit-learn
and statsmodels; run it in this folder to make the file again:

    python3 performance.py > performance.json
"""

import json
import math
import sys

import numpy as np
from scipy import stats
from scipy.optimize import brentq
from sklearn import metrics
from sklearn.isotonic import IsotonicRegression
from statsmodels.stats.proportion import proportion_confint

rng = np.random.default_rng(20240601)


def short(values):
    return [float(f"{v:.6g}") for v in values]


def number(value):
    """JSON has no infinity: null stands for it, as in the Go side's documents."""
    value = float(value)
    return value if math.isfinite(value) else None


def score_interval(k1, n1, k2, n2, compare):
    """Inverts the score test of Miettinen and Nurminen, likelihood maximised by number."""

    def excess(value):
        def first(p2):
            return p2 + value if compare == "diff" else p2 * value

        low = max(0, -value) if compare == "diff" else 0
        high = min(1, 1 - value) if compare == "diff" else min(1, 1 / value)

        def slope(p2):
            p1, d1 = first(p2), (1 if compare == "diff" else value)
            v1, v2 = max(p1 * (1 - p1), 1e-300), max(p2 * (1 - p2), 1e-300)
            return (k1 - n1 * p1) / v1 * d1 + (k2 - n2 * p2) / v2

        edge = (high - low) * 1e-13
        if slope(low + edge) <= 0:
            p2 = low
        elif slope(high - edge) >= 0:
            p2 = high
        else:
            p2 = brentq(slope, low + edge, high - edge, xtol=1e-16, rtol=1e-15)
        p1, n = first(p2), n1 + n2
        scale = 1 if compare == "diff" else value
        variance = (p1 * (1 - p1) / n1 + scale**2 * p2 * (1 - p2) / n2) * n / (n - 1)
        distance = k1 / n1 - first(k2 / n2)
        return distance**2 / variance - stats.chi2.ppf(0.95, 1)

    if compare == "ratio":
        middle, far = math.log(k1 / n1 / (k2 / n2)), 15

        def log_excess(value):
            return excess(math.exp(value))

        return math.exp(brentq(log_excess, -far, middle, xtol=1e-13)), math.exp(brentq(log_excess, middle, far, xtol=1e-13))
    middle = k1 / n1 - k2 / n2
    high = 1.0 if middle > 0.999 else brentq(excess, middle + 1e-9, 0.999, xtol=1e-13)
    return brentq(excess, -0.999, middle - 1e-9, xtol=1e-13), high


def intervals():
    out = {"wilson": [], "difference": [], "ratio": [], "poisson": [], "mean": []}
    for k, n in [(0, 10), (1, 10), (5, 10), (10, 10), (3, 1000), (950, 1000), (12345, 99999)]:
        low, high = proportion_confint(k, n, method="wilson")
        out["wilson"].append({"k": k, "n": n, "low": low, "high": high})
    for k1, n1, k2, n2 in [
        (10, 100, 5, 100),
        (0, 50, 3, 60),
        (3, 60, 0, 50),
        (1, 30, 500, 100000),
        (250, 5000, 200, 5000),
        (30, 30, 20, 30),
        (7, 40, 80, 1000),
    ]:
        low, high = score_interval(k1, n1, k2, n2, "diff")
        out["difference"].append({"k1": k1, "n1": n1, "k2": k2, "n2": n2, "low": low, "high": high})
        if k1 > 0 and k2 > 0:
            low, high = score_interval(k1, n1, k2, n2, "ratio")
            out["ratio"].append({"k1": k1, "n1": n1, "k2": k2, "n2": n2, "low": low, "high": high})
    for k in [0, 1, 5, 100, 54321]:
        low = stats.chi2.ppf(0.025, 2 * k) / 2 if k else 0.0
        out["poisson"].append({"k": k, "low": low, "high": stats.chi2.ppf(0.975, 2 * k + 2) / 2})
    for x in [[1.0, 2.0, 4.0], [0.1, 0.2, 0.2, 0.3, 7.0, 0.1], list(range(50))]:
        low, high = stats.t.interval(0.95, len(x) - 1, loc=np.mean(x), scale=stats.sem(x))
        out["mean"].append({"x": [float(v) for v in x], "low": low, "high": high})
    return out


def tails():
    out = {"fisher": [], "exceedance": [], "ranks": []}
    for k1, n1, k2, n2 in [
        (5, 20, 1, 20),
        (0, 20, 1, 20),
        (30, 200, 900, 10000),
        (10, 1000, 9990, 1000000),
        (200, 1000, 100, 1000),
        (3, 3, 0, 40),
        (50, 100, 49, 100),
    ]:
        p = stats.fisher_exact([[k1, n1 - k1], [k2, n2 - k2]], alternative="greater")[1]
        out["fisher"].append({"k1": k1, "n1": n1, "k2": k2, "n2": n2, "p": p})
    for k, n, r, m in [(10, 30, 50, 1000), (2, 30, 50, 1000), (900, 1000, 500, 1000), (5, 100, 4, 99), (60, 600, 5000, 100000)]:
        p = stats.betabinom.pmf(np.arange(k, n + 1), n, r + 1, m - r).sum()
        out["exceedance"].append({"k": k, "n": n, "r": r, "m": m, "p": p})
    for n in [1, 5, 20, 60, 80, 300, 10000]:
        for q in [0.5, 0.95]:
            # The largest low with P(B < low) <= 2.5 %, and the first high with P(B < high) >= 97.5 %.
            below = stats.binom.cdf(np.arange(0, n + 1) - 1, n, q)
            low = int(np.max(np.where(below <= 0.025)[0]))
            above = np.where(below >= 0.975)[0]
            out["ranks"].append({"n": n, "q": q, "low": low, "high": int(above[0]) if len(above) else n + 1})
    return out


def calibration_error(p, event, bins=10):
    which = np.minimum((p * bins).astype(int), bins - 1)
    total = 0.0
    for b in range(bins):
        rows = which == b
        if rows.any():
            total += rows.mean() * abs(p[rows].mean() - event[rows].mean())
    return total


def delong(score, truth):
    pos, neg = score[truth == 1], score[truth == 0]
    wins = (pos[:, None] > neg[None, :]) + 0.5 * (pos[:, None] == neg[None, :])
    return wins.mean(), math.sqrt(wins.mean(axis=1).var(ddof=1) / len(pos) + wins.mean(axis=0).var(ddof=1) / len(neg))


def spiegelhalter(p, y):
    z = np.sum((y - p) * (1 - 2 * p)) / math.sqrt(np.sum((1 - 2 * p) ** 2 * p * (1 - p)))
    return 2 * stats.norm.sf(abs(z))


def binary():
    n = 700
    logit = rng.normal(-1, 2, n)
    truth = (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(int)
    p = np.array(short(np.clip(1 / (1 + np.exp(-(0.6 * logit + 0.3))), 0.001, 0.999)))
    predicted = (p >= 0.4).astype(int)
    area, deviation = delong(p, truth)
    return {
        "p": p.tolist(),
        "predicted": predicted.tolist(),
        "truth": truth.tolist(),
        "accuracy": metrics.accuracy_score(truth, predicted),
        "precision": metrics.precision_score(truth, predicted),
        "recall": metrics.recall_score(truth, predicted),
        "f1": metrics.f1_score(truth, predicted),
        "roc_auc": metrics.roc_auc_score(truth, p),
        "roc_auc_delong": area,
        "roc_auc_deviation": deviation,
        "log_loss": metrics.log_loss(truth, p),
        "brier": metrics.brier_score_loss(truth, p),
        "calibration_error": calibration_error(p, truth),
        "calibration_p_value": spiegelhalter(p, truth),
    }


def multiclass():
    n, names = 600, ["ant", "bee", "cat", "dog"]
    scores = rng.normal(0, 1.5, (n, 4))
    truth = np.array([rng.choice(4, p=np.exp(s) / np.exp(s).sum()) for s in scores])
    wrong = scores + rng.normal(0, 0.7, (n, 4))
    p = np.exp(wrong) / np.exp(wrong).sum(axis=1, keepdims=True)
    p = np.round(p, 6)
    p[:, 3] = np.round(1 - p[:, :3].sum(axis=1), 6)
    predicted = p.argmax(axis=1)
    top = p.max(axis=1)
    each = metrics.precision_recall_fscore_support(truth, predicted)
    return {
        "classes": names,
        "p": p.tolist(),
        "predicted": [names[k] for k in predicted],
        "truth": [names[k] for k in truth],
        "accuracy": metrics.accuracy_score(truth, predicted),
        "precision": metrics.precision_score(truth, predicted, average="macro"),
        "recall": metrics.recall_score(truth, predicted, average="macro"),
        "f1": metrics.f1_score(truth, predicted, average="macro"),
        "log_loss": metrics.log_loss(truth, p),
        "calibration_error": calibration_error(top, (predicted == truth).astype(int)),
        "class_precision": each[0].tolist(),
        "class_recall": each[1].tolist(),
        "class_f1": each[2].tolist(),
        "class_support": each[3].tolist(),
        # Confidence-based: the mean probability of the predicted class.
        "estimated_accuracy": float(top.mean()),
    }


def regression():
    truth = np.array(short(rng.gamma(2, 50, 300)))
    said = np.array(short(truth * rng.normal(1.05, 0.2, 300) + rng.normal(0, 5, 300)))
    return {
        "predicted": said.tolist(),
        "truth": truth.tolist(),
        "mae": metrics.mean_absolute_error(truth, said),
        "rmse": math.sqrt(metrics.mean_squared_error(truth, said)),
        "mape": metrics.mean_absolute_percentage_error(truth, said),
        "r2": metrics.r2_score(truth, said),
        "bias": float(np.mean(said - truth)),
    }


def isotonic():
    out = []
    for x, y, w in [
        ([1, 2, 3, 4, 5], [0, 1, 0, 1, 1], None),
        ([0.1, 0.1, 0.2, 0.3, 0.3, 0.3, 0.9], [0, 1, 0, 0, 1, 1, 1], None),
        ([0.5, 0.4, 0.3, 0.2], [0.0, 0.1, 0.6, 0.9], [1, 5, 2, 1]),
        (short(rng.random(80)), (rng.random(80) < 0.5).astype(float).tolist(), None),
        (short(np.sort(rng.random(60))), short(np.clip(np.linspace(0, 1, 60) + rng.normal(0, 0.2, 60), 0, 1)), short(rng.integers(1, 9, 60))),
    ]:
        f = IsotonicRegression(out_of_bounds="clip", increasing=True).fit(x, y, sample_weight=w)
        at = short(np.linspace(min(x) - 0.1, max(x) + 0.1, 41))
        out.append({"x": x, "y": y, "w": w, "at": at, "value": f.predict(at).tolist()})
    return out


def estimate():
    """Confidence-based estimation on rows, as NannyML defines it, in NumPy."""
    n = 900
    score = np.array(short(rng.beta(0.6, 1.4, n)))
    calibrated = np.array(short(np.clip(score**1.3, 0, 1)))
    predicted = (score >= 0.35).astype(int)
    tp, fp = calibrated[predicted == 1].sum(), (1 - calibrated[predicted == 1]).sum()
    fn, tn = calibrated[predicted == 0].sum(), (1 - calibrated[predicted == 0]).sum()
    # The ROC curve of expected counts, one point where records share a score.
    order = np.argsort(-score, kind="stable")
    last = np.append(np.diff(score[order]) != 0, True)
    tps, fps = np.cumsum(calibrated[order])[last], np.cumsum(1 - calibrated[order])[last]
    area = metrics.auc(np.append(0, fps / fps[-1]), np.append(0, tps / tps[-1]))

    # Labelled reference rows, and the sampling error of n new ones.
    rows = 1200
    p = np.array(short(rng.beta(0.6, 1.4, rows)))
    truth = (rng.random(rows) < p).astype(int)
    said = (p >= 0.35).astype(int)

    def error(level, about):
        return float(np.std(level) / math.sqrt(n * about))

    is_tp = (said == 1) & (truth == 1)
    either = (said == 1) | (truth == 1)
    f1_scale = either.sum() / (is_tp.sum() + 0.5 * (either.sum() - is_tp.sum()))
    ranks = np.array([((p[truth == 0] < v).sum() + 0.5 * (p[truth == 0] == v).sum()) / (truth == 0).sum() for v in p[truth == 1]])
    return {
        "score": score.tolist(),
        "calibrated": calibrated.tolist(),
        "predicted": predicted.tolist(),
        "true_positive": tp,
        "false_positive": fp,
        "false_negative": fn,
        "true_negative": tn,
        "accuracy": (tp + tn) / n,
        "precision": tp / (tp + fp),
        "recall": tp / (tp + fn),
        "f1": tp / (tp + (fp + fn) / 2),
        "roc_auc": area,
        "reference": {
            "p": p.tolist(),
            "predicted": said.tolist(),
            "truth": truth.tolist(),
            "accuracy": error((said == truth).astype(int), 1),
            "precision": error(truth[said == 1], np.mean(said)),
            "recall": error(said[truth == 1], np.mean(truth)),
            "f1": error(is_tp[either] * f1_scale, either.mean()),
            "roc_auc": error(ranks, truth.mean()),
        },
    }


def quantiles():
    out = []
    for name, x in [
        ("lognormal", rng.lognormal(-1, 1, 400)),
        ("heavy", rng.pareto(1.1, 400) * 0.01),
        ("ties", rng.integers(1, 6, 300) / 4),
    ]:
        x = np.array(short(x))
        qs = [0, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 1]
        out.append({
            "name": name,
            "x": x.tolist(),
            "q": qs,
            "value": [float(np.quantile(x, q, method="lower")) for q in qs],
            "sum": float(x.sum()),
        })
    return out


json.dump(
    {
        "intervals": intervals(),
        "tails": tails(),
        "binary": binary(),
        "multiclass": multiclass(),
        "regression": regression(),
        "isotonic": isotonic(),
        "estimate": estimate(),
        "quantiles": quantiles(),
    },
    sys.stdout,
    indent=None,
    separators=(",", ":"),
    default=number,
)
print()
