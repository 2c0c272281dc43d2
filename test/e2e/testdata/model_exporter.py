"""A model exporter for tests: exposes latency and feature means, whose values
it reads from a file at each scrape. Usage: model_exporter.py PORT FILE"""

import sys
import time

from prometheus_client import Gauge, start_http_server

latency = Gauge("model_inference_latency_seconds", "Latency of model inference", ["model_version", "endpoint"])
mean = Gauge("input_data_mean", "Mean value of input data", ["feature_name"])
offset = Gauge("input_data_mean_offset", "Mean value of input data in the baseline", ["feature_name"])


def read(column):
    with open(sys.argv[2], encoding="utf-8") as values:
        return float(values.read().split()[column])


latency.labels(model_version="v1.0", endpoint="/predict").set_function(lambda: read(0))
mean.labels(feature_name="age").set_function(lambda: read(1))
offset.labels(feature_name="age").set(40)

start_http_server(int(sys.argv[1]), addr="127.0.0.1")
while True:
    time.sleep(3600)
