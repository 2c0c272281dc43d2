"""Writes the Parquet files of this folder: pip install pandas pyarrow; python make.py"""

import decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

n = 1000
rng = np.random.default_rng(1)
frame = pd.DataFrame({
    "age": rng.normal(40, 8, n),
    "count": rng.integers(0, 9, n),
    "city": rng.choice(["Graz", "Linz", "Wien"], n),
    "vip": rng.random(n) < 0.2,
    "cat": pd.Categorical(rng.choice(["a", "b"], n)),
    "when": pd.date_range("2026-01-01", periods=n, freq="min"),
    "prediction": rng.choice(["yes", "no"], n),
    "label": rng.choice(["yes", "no"], n),
})
frame.loc[3, "age"] = np.nan
frame.loc[4, "city"] = None
table = pa.Table.from_pandas(frame, preserve_index=False)
for name, column in {
    "emb": pa.array([list(map(float, rng.normal(size=3))) for _ in range(n)], type=pa.list_(pa.float32())),
    "price": pa.array([decimal.Decimal("1.25")] * n, type=pa.decimal128(9, 2)),
    "nanf": pa.array([float("nan"), float("inf")] * (n // 2)),
    "bin": pa.array([b"x"] * n),
    "fsl": pa.array([[1.0, 2.0]] * n, type=pa.list_(pa.float64(), 2)),
}.items():
    table = table.append_column(name, column)
pq.write_table(table, "pandas.parquet")
pq.write_table(pa.table({
    "features": pa.array([{"a": 1.5, "b": "x"}] * 300),
    "probabilities": pa.array([{"yes": 0.25, "no": 0.75}] * 300),
    "prediction": pa.array(["no"] * 300),
}), "nested.parquet")
pq.write_table(pa.table({"a": pa.array([[{"x": 1}]] * 3)}), "structs.parquet")
