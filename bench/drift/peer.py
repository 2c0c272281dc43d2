"""Answers requests of the Go program beside it, one JSON line each: what the real
Evidently and SciPy's two-sample Kolmogorov-Smirnov test say about samples in a
file of float64, which holds groups of one baseline and several windows."""

import json
import sys
import warnings

warnings.filterwarnings("ignore")

import numpy as np
import pandas as pd
import scipy
from scipy import stats

try:
    import evidently
    from evidently.legacy.calculations.stattests.registry import get_stattest
    from evidently.legacy.core import ColumnType
except ImportError as e:
    evidently, why = None, str(e)


def groups(request):
    n, m, windows = request["n"], request["m"], request["windows"]
    data = np.fromfile(request["file"]).reshape(-1, n + m * windows)
    for row in data:
        yield row[:n], row[n:].reshape(windows, m)


def evidently_false(request):
    """The number of windows that Evidently's default rule calls drift."""
    kind = ColumnType.Categorical if request["categories"] else ColumnType.Numerical
    drifted = total = 0
    methods = {}
    for ref, windows in groups(request):
        ref = pd.Series(ref.astype(int) if request["categories"] else ref)
        for cur in windows:
            cur = pd.Series(cur.astype(int) if request["categories"] else cur)
            test = get_stattest(ref, cur, kind, None)
            drifted += bool(test(ref, cur, kind, None).drifted)
            methods[test.name] = methods.get(test.name, 0) + 1
            total += 1
    return {"drifted": drifted, "total": total, "method": max(methods, key=methods.get)}


def ks(request):
    """p-values of ks_2samp; a missing value counts as one below all others."""
    p = []
    for ref, windows in groups(request):
        ref = np.sort(np.where(np.isnan(ref), -1e300, ref))
        for cur in windows:
            p.append(float(stats.ks_2samp(ref, np.where(np.isnan(cur), -1e300, cur)).pvalue))
    return {"p": p}


def main():
    versions = {"scipy": scipy.__version__, "evidently": evidently.__version__ if evidently else "", "error": "" if evidently else why}
    print(json.dumps(versions), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        answer = {"evidently": evidently_false, "ks": ks}[request["ask"]](request)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
