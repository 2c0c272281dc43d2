"""Tests of the client against a stub of modelwatch's interface."""

import asyncio
import gzip
import http.server
import json
import math
import os
import socket
import subprocess
import sys
import threading
import time
import unittest
from datetime import datetime, timezone

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import modelwatch  # noqa: E402


class Stub:
    """A modelwatch that remembers what it was sent.

    answer(n, path, records) gives (status, headers, body) for the n-th request, or None to accept.
    """

    def __init__(self, answer=None):
        self.requests = []
        self.answer = answer
        stub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = gzip.decompress(self.rfile.read(int(self.headers["Content-Length"])))
                records = [json.loads(line) for line in body.decode().splitlines()]
                stub.requests.append((self.path, dict(self.headers), records))
                said = stub.answer and stub.answer(len(stub.requests), self.path, records)
                status, headers, text = said or (202, {}, json.dumps({"accepted": len(records), "rejected": []}))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def records(self, path="/ai/v1/inferences"):
        return [record for p, _, records in list(self.requests) if p.endswith(path) for record in records]


class ClientTest(unittest.TestCase):
    def stub(self, answer=None):
        stub = Stub(answer)
        self.addCleanup(stub.close)
        return stub

    def client(self, url, **options):
        options.setdefault("flush_interval", 0.005)
        options.setdefault("min_backoff", 0.001)
        options.setdefault("max_backoff", 0.005)
        options.setdefault("service", "shop")
        client = modelwatch.Client(url, **options)
        self.addCleanup(client.close, 0.01)
        return client

    def flush(self, client):
        self.assertTrue(client.flush(20), client.stats())
        s = client.stats()
        self.assertEqual(s.recorded, s.sent + s.rejected + s.dropped + s.queued, s)
        self.assertEqual(
            s.dropped, s.dropped_queue_full + s.dropped_refused + s.dropped_gave_up + s.dropped_closed, s)
        return s

    def test_bad_options(self):
        for url in ("", "127.0.0.1:9090", "ftp://x", "http://", "http://x/?a=b", "http://x:port", "http://u:secret@/"):
            with self.assertRaises(ValueError, msg=url) as caught:
                modelwatch.Client(url)
            self.assertIn("want http://", str(caught.exception))
            self.assertNotIn("secret", str(caught.exception))
        with self.assertRaisesRegex(ValueError, "batch_size is 0"):
            modelwatch.Client("http://x", batch_size=0)

    def test_every_field(self):
        stub = self.stub()
        client = self.client(stub.url.replace("//", "//me:pa%20ss@") + "/prefix/", headers={"X-Scope": "a"})
        client.record(
            "ranker", "v1.0", endpoint="/predict", timestamp=1.5, request_id="r1", duration=1.5, status_code=500,
            error="out_of_memory", features={"age": 34, "city": "北京", "new": True, "gone": None, "vec": [1, 2.5]},
            prediction="click", probabilities={"click": 0.75}, input_tokens=10, output_tokens=0,
            time_to_first_token=0.25, tags={"region": "eu"})
        client.label("r1", "skip", timestamp=2.5)
        self.assertEqual(self.flush(client).sent, 2)
        (path, headers, records), (label_path, label_headers, labels) = stub.requests
        self.assertEqual((path, label_path), ("/prefix/ai/v1/inferences", "/prefix/ai/v1/labels"))
        self.assertEqual(headers["Authorization"], "Basic bWU6cGEgc3M=")
        self.assertEqual(headers["X-Scope"], "a")
        self.assertEqual(len(headers["X-Modelwatch-Batch-Id"]), 32)
        self.assertNotEqual(headers["X-Modelwatch-Batch-Id"], label_headers["X-Modelwatch-Batch-Id"])
        self.assertEqual(records, [{
            "service": "shop", "model": "ranker", "model_version": "v1.0", "endpoint": "/predict", "timestamp": 1.5,
            "request_id": "r1", "duration_seconds": 1.5, "status_code": 500, "error": "out_of_memory",
            "features": {"age": 34, "city": "北京", "new": True, "gone": None, "vec": [1, 2.5]},
            "prediction": "click", "probabilities": {"click": 0.75}, "tokens": {"input": 10, "output": 0},
            "time_to_first_token_seconds": 0.25, "tags": {"region": "eu"}}])
        self.assertEqual(labels, [{"request_id": "r1", "label": "skip", "timestamp": 2.5}])

    def test_unset_fields_are_left_out(self):
        stub = self.stub()
        client = modelwatch.Client(stub.url, token="t0ken", flush_interval=0.005)
        self.addCleanup(client.close, 0.01)
        client.record("m")
        self.flush(client)
        record = stub.records()[0]
        self.assertAlmostEqual(record.pop("timestamp"), time.time(), delta=20)
        self.assertEqual(record, {"model": "m"})
        self.assertEqual(stub.requests[0][1]["Authorization"], "Bearer t0ken")

    def test_caller_may_change_its_features(self):
        stub = self.stub()
        client = self.client(stub.url, flush_interval=60)
        features = {"a": 1}
        client.record("m", features=features)
        features["a"] = 2
        self.flush(client)
        self.assertEqual(stub.records()[0]["features"], {"a": 1})

    def test_batches(self):
        stub = self.stub()
        client = self.client(stub.url, batch_size=10, flush_interval=60)
        for i in range(35):
            client.record("m", request_id=str(i))
        self.assertEqual(self.flush(client).sent, 35)
        self.assertEqual([len(r) for _, _, r in stub.requests], [10, 10, 10, 5])
        self.assertEqual([r["request_id"] for r in stub.records()], [str(i) for i in range(35)])

    def test_the_interval_sends_what_is_not_full(self):
        stub = self.stub()
        client = self.client(stub.url)
        client.record("m")
        deadline = time.monotonic() + 10
        while client.stats().sent == 0 and time.monotonic() < deadline:
            time.sleep(0.002)
        self.assertEqual(client.stats().sent, 1)

    def test_retries_keep_the_batch_identifier(self):
        for status in (500, 503, 429, 408):
            with self.subTest(status):
                stub = self.stub(lambda n, path, records: (status, {}, "busy") if n <= 3 else None)
                heard = []
                client = self.client(stub.url, on_error=heard.append)
                client.record("m")
                stats = self.flush(client)
                self.assertEqual((stats.sent, stats.dropped, stats.retries, len(heard)), (1, 0, 3, 3))
                self.assertIn("status %d: busy" % status, stats.last_error)
                self.assertEqual(len({h["X-Modelwatch-Batch-Id"] for _, h, _ in stub.requests}), 1)

    def test_retry_after(self):
        times = []

        def answer(n, path, records):
            times.append(time.monotonic())
            return (429, {"Retry-After": "1"}, "") if n == 1 else None

        stub = self.stub(answer)
        client = self.client(stub.url)
        client.record("m")
        self.assertEqual(self.flush(client).sent, 1)
        self.assertGreaterEqual(times[1] - times[0], 0.95)

    def test_retry_after_forms(self):
        self.assertEqual(modelwatch._retry_after("7"), 7)
        self.assertEqual(modelwatch._retry_after("Thu, 01 Jan 2015 00:01:00 GMT"), 0)
        self.assertGreater(modelwatch._retry_after("Thu, 01 Jan 2999 00:01:00 GMT"), 1e9)
        for value in (None, "", "-1", "soon", "٣"):
            self.assertEqual(modelwatch._retry_after(value), 0, value)

    def test_refused_batches_are_dropped_at_once(self):
        for status in (301, 307, 400, 401, 404, 413, 415, 501):
            with self.subTest(status):
                stub = self.stub(lambda n, path, records: (status, {"Location": "/x"} if status < 400 else {}, "because\nof"))
                client = self.client(stub.url)
                client.record("m")
                stats = self.flush(client)
                self.assertEqual((stats.dropped_refused, stats.retries, len(stub.requests)), (1, 0, 1))
                self.assertIn("redirected to /x" if status < 400 else "status %d: because" % status, stats.last_error)

    def test_partial_rejection(self):
        stub = self.stub(lambda n, path, records: (
            202, {}, '{"accepted":2,"rejected":[{"index":1,"error":"model is missing"}]}'))
        client = self.client(stub.url, flush_interval=60)
        for model in ("m", "", "m"):
            client.record(model)
        stats = self.flush(client)
        self.assertEqual((stats.sent, stats.rejected, stats.last_rejection), (2, 1, "record 1: model is missing"))

    def test_strange_answers_count_as_accepted(self):
        for answer in ("", "ok", "null", "[]", '{"rejected":null}', '{"accepted":0,"rejected":[]}', '{"rejected":[1]}'):
            self.assertEqual(modelwatch._rejections(answer, 3), (0, ""), answer)

    def test_too_large_batches_are_divided(self):
        stub = self.stub(lambda n, path, records: (413, {}, "") if len(records) > 3 else None)
        client = self.client(stub.url, flush_interval=60)
        for _ in range(10):
            client.record("m")
        stats = self.flush(client)
        self.assertEqual((stats.sent, stats.dropped), (10, 0))

    def test_labels_follow_their_inferences(self):
        stub = self.stub(lambda n, path, records: time.sleep(0.005))
        client = self.client(stub.url, batch_size=5)
        for i in range(40):
            client.record("m", request_id=str(i))
            client.label(str(i), 1)
        self.assertEqual(self.flush(client).sent, 80)
        known = set()
        for path, _, records in stub.requests:
            for record in records:
                if path.endswith("labels"):
                    self.assertIn(record["request_id"], known)
                else:
                    known.add(record["request_id"])

    def test_broken_servers_cost_the_caller_nothing(self):
        silent = socket.socket()
        silent.bind(("127.0.0.1", 0))
        silent.listen(5)
        self.addCleanup(silent.close)
        refusing = socket.socket()
        refusing.bind(("127.0.0.1", 0))
        refused = "http://127.0.0.1:%d" % refusing.getsockname()[1]
        refusing.close()
        failing = self.stub(lambda n, path, records: (500, {}, ""))
        for name, url in (
            ("silent", "http://127.0.0.1:%d" % silent.getsockname()[1]), ("refusing", refused), ("failing", failing.url),
        ):
            with self.subTest(name):
                client = self.client(url, queue_size=500, batch_size=100)
                start = time.perf_counter()
                for _ in range(5000):
                    client.record("m")
                took = time.perf_counter() - start
                self.assertLess(took / 5000, 200e-6)
                stats = client.stats()
                self.assertEqual((stats.dropped_queue_full, stats.queued, stats.sent), (4500, 500, 0))
                start = time.perf_counter()
                self.assertFalse(client.close(0.05))
                self.assertLess(time.perf_counter() - start, 5)
                stats = client.stats()
                self.assertEqual((stats.dropped, stats.dropped_closed, stats.queued), (5000, 500, 0))

    def test_gives_up(self):
        stub = self.stub(lambda n, path, records: (502, {}, ""))
        client = self.client(stub.url, retry_for=0.3)
        client.record("m")
        stats = self.flush(client)
        self.assertEqual(stats.dropped_gave_up, 1)
        self.assertGreater(stats.retries, 0)
        self.assertIn("given up after 0.3 s", stats.last_error)

    def test_close(self):
        stub = self.stub()
        with self.client(stub.url, flush_interval=60) as client:
            for _ in range(2500):
                client.record("m")
        client.record("m")
        client.label("r", 1)
        self.assertTrue(client.close())
        stats = client.stats()
        self.assertEqual((stats.sent, stats.dropped_closed), (2500, 2))

    def test_flush_obeys_its_timeout(self):
        release = threading.Event()
        stub = self.stub(lambda n, path, records: release.wait(20) and None)
        client = self.client(stub.url)
        client.record("m")
        self.assertFalse(client.flush(0.02))
        release.set()

    def test_threads(self):
        stub = self.stub()
        client = self.client(stub.url, batch_size=50)

        def work(name):
            for i in range(300):
                client.record("m", request_id="%s-%d" % (name, i))

        threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(self.flush(client).sent, 1800)
        self.assertEqual(len({r["request_id"] for r in stub.records()}), 1800)

    def test_values_that_json_cannot_hold(self):
        class Tensor:
            def tolist(self):
                return [1.5, math.nan]

        class Bad:
            def tolist(self):
                raise RuntimeError("no")

        circle = [1]
        circle.extend([circle, circle])
        stub = self.stub()
        client = self.client(stub.url, flush_interval=60)
        client.record("m", features={
            "nan": math.nan, "inf": -math.inf, "ok": 1, "tensor": Tensor(), "bad": Bad(), "object": object(),
            "tuple": (1, 2), 3: "three", "circle": circle, "when": datetime(2026, 1, 2, tzinfo=timezone.utc),
            "half": "\ud800"})
        client.record("m", features=7, prediction=math.nan)
        stats = self.flush(client)
        self.assertEqual((stats.sent, stats.nulled_values), (2, 8))
        first, second = stub.records()
        self.assertEqual(first["features"], {
            "nan": None, "inf": None, "ok": 1, "tensor": [1.5, None], "bad": None, "object": None, "tuple": [1, 2],
            "3": "three", "circle": [1, None, None], "when": "2026-01-02T00:00:00+00:00", "half": "\ud800"})
        self.assertIsNone(second["features"])
        self.assertIsNone(second["prediction"])

    def test_numpy(self):
        try:
            import numpy
        except ImportError:
            self.skipTest("NumPy is not installed")
        stub = self.stub()
        client = self.client(stub.url)
        client.record("m", features={
            "f32": numpy.float32(0.5), "i64": numpy.int64(3), "b": numpy.bool_(True),
            "v": numpy.array([1.0, numpy.nan])}, prediction=numpy.float64(0.25))
        self.assertEqual(self.flush(client).nulled_values, 1)
        record = stub.records()[0]
        self.assertEqual(record["features"], {"f32": 0.5, "i64": 3, "b": True, "v": [1.0, None]})
        self.assertEqual(record["prediction"], 0.25)

    def test_measure(self):
        stub = self.stub()
        client = self.client(stub.url)
        with client.measure("m", "v1", request_id="r") as call:
            time.sleep(0.01)
            call.first_token()
            call.features = {"a": 1}
            call.prediction = 2
            time.sleep(0.01)
        with self.assertRaises(KeyError):
            with client.measure("m"):
                raise KeyError("x")
        with self.assertRaisesRegex(TypeError, "unknown field 'colour'"):
            with client.measure("m", colour=1):
                self.fail("unreachable")
        self.flush(client)
        good, bad = stub.records()
        self.assertEqual((good["features"], good["prediction"], good["request_id"]), ({"a": 1}, 2, "r"))
        self.assertGreaterEqual(good["duration_seconds"], 0.02)
        self.assertLess(good["time_to_first_token_seconds"], good["duration_seconds"])
        self.assertEqual(bad["error"], "KeyError")

    def test_watch(self):
        stub = self.stub()
        client = self.client(stub.url)

        @client.watch(model="m", version="v1", endpoint="/p", features=lambda user: user, prediction=lambda r: r * 2,
                      request_id=lambda user: user["id"])
        def predict(user):
            """Says."""
            if user["id"] == "slow":
                raise TimeoutError("too slow")
            return 21

        self.assertEqual((predict.__name__, predict.__doc__), ("predict", "Says."))
        self.assertEqual(predict({"id": "r1"}), 21)
        with self.assertRaises(TimeoutError):
            predict({"id": "slow"})
        broken = client.watch("m", features=lambda: {}, prediction=lambda r: r.nothing)(lambda x: x)
        self.assertEqual(broken(5), 5)
        self.assertIn("prediction of a watched call", client.stats().last_error)
        with self.assertRaises(TypeError):
            client.watch("m", colour=1)
        self.flush(client)
        first, slow, third = stub.records()
        for name, want in {"model": "m", "model_version": "v1", "endpoint": "/p", "request_id": "r1",
                           "features": {"id": "r1"}, "prediction": 42}.items():
            self.assertEqual(first[name], want)
        self.assertEqual(slow["error"], "timeout")
        self.assertNotIn("prediction", third)

    def test_watch_streams_and_coroutines(self):
        stub = self.stub()
        client = self.client(stub.url, flush_interval=60)

        @client.watch("gen", prediction=lambda items: "".join(items))
        def tokens():
            time.sleep(0.01)
            yield "a"
            time.sleep(0.02)
            yield "b"

        @client.watch("coro", prediction=lambda r: r)
        async def answer(x):
            await asyncio.sleep(0.01)
            return x

        closed = []

        @client.watch("agen", prediction=len)
        async def stream(n):
            try:
                for i in range(n):
                    yield i
                if n == 3:
                    raise MemoryError
            finally:
                closed.append(n)

        async def use():
            self.assertEqual(await answer(3), 3)
            self.assertEqual([i async for i in stream(2)], [0, 1])
            with self.assertRaises(MemoryError):
                async for _ in stream(3):
                    pass
            early = stream(9)
            self.assertEqual(await early.__anext__(), 0)
            await early.aclose()
            task = asyncio.ensure_future(answer(4))
            await asyncio.sleep(0)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task

        self.assertEqual(list(tokens()), ["a", "b"])
        asyncio.run(use())
        self.flush(client)
        gen, coro, whole, failed, early, canceled = stub.records()
        self.assertEqual(gen["prediction"], "ab")
        self.assertGreaterEqual(gen["time_to_first_token_seconds"], 0.01)
        self.assertGreaterEqual(gen["duration_seconds"], gen["time_to_first_token_seconds"] + 0.02)
        self.assertEqual((coro["prediction"], whole["prediction"]), (3, 2))
        self.assertEqual(failed["error"], "out_of_memory")
        self.assertNotIn("error", early)
        self.assertEqual(canceled["error"], "canceled")
        self.assertEqual(closed, [2, 3, 9])

    def test_wsgi(self):
        stub = self.stub()
        client = self.client(stub.url)

        def app(environ, start_response):
            if environ["PATH_INFO"] == "/raise":
                raise ValueError("x")
            start_response("503 Busy" if environ["PATH_INFO"] == "/busy" else "200 OK", [])
            return [b"a", b"b"]

        watched = client.wsgi(app, "m", "v1")
        for path in ("/ok", "/busy"):
            body = watched({"PATH_INFO": path, "HTTP_X_REQUEST_ID": "r"}, lambda status, headers: None)
            self.assertEqual(b"".join(body), b"ab")
            body.close()
        with self.assertRaises(ValueError):
            watched({"PATH_INFO": "/raise"}, lambda status, headers: None)
        self.flush(client)
        ok, busy, raised = stub.records()
        self.assertEqual((ok["status_code"], ok["endpoint"], ok["request_id"]), (200, "/ok", "r"))
        self.assertEqual((busy["status_code"], busy["error"]), (503, "server_error"))
        self.assertEqual(raised["error"], "ValueError")

    def test_asgi(self):
        stub = self.stub()
        client = self.client(stub.url)

        async def app(scope, receive, send):
            if scope["type"] == "lifespan":
                return
            if scope["path"] == "/raise":
                raise ValueError("x")
            await send({"type": "http.response.start", "status": 422, "headers": []})
            await send({"type": "http.response.body", "body": b"a", "more_body": True})
            await send({"type": "http.response.body", "body": b"b"})

        async def use():
            async def send(message):
                pass

            watched = client.asgi(app, "m")
            await watched({"type": "lifespan"}, None, send)
            await watched({"type": "http", "path": "/p", "headers": [(b"x-request-id", b"r")]}, None, send)
            with self.assertRaises(ValueError):
                await watched({"type": "http", "path": "/raise", "headers": []}, None, send)

        asyncio.run(use())
        self.flush(client)
        first, raised = stub.records()
        self.assertEqual((first["status_code"], first["error"], first["endpoint"], first["request_id"]),
                         (422, "client_error", "/p", "r"))
        self.assertIn("time_to_first_token_seconds", first)
        self.assertEqual((raised["error"], raised["endpoint"]), ("ValueError", "/raise"))

    def test_the_end_of_the_process_sends_the_rest(self):
        stub = self.stub()
        program = (
            "import modelwatch\n"
            "client = modelwatch.Client(%r, flush_interval=60)\n"
            "for i in range(10): client.record('m')\n" % stub.url)
        self.run_python(program)
        self.assertEqual(len(stub.records()), 10)

    def test_the_end_of_the_process_is_bounded(self):
        silent = socket.socket()
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        self.addCleanup(silent.close)
        program = (
            "import modelwatch\n"
            "client = modelwatch.Client('http://127.0.0.1:%d', exit_timeout=0.3)\n"
            "client.record('m')\n" % silent.getsockname()[1])
        start = time.monotonic()
        self.run_python(program)
        self.assertLess(time.monotonic() - start, 8)

    @unittest.skipUnless(hasattr(os, "fork"), "needs os.fork")
    def test_fork(self):
        stub = self.stub()
        program = (
            "import modelwatch, os\n"
            "client = modelwatch.Client(%r, flush_interval=60)\n"
            "client.record('parent')\n"
            "child = os.fork()\n"
            "client.record('child' if child == 0 else 'parent')\n"
            "assert client.stats().recorded == (1 if child == 0 else 2), client.stats()\n"
            "assert client.flush(10)\n"
            "if child == 0: os._exit(0)\n"
            "assert os.waitpid(child, 0)[1] == 0\n" % stub.url)
        self.run_python(program)
        self.assertEqual(sorted(r["model"] for r in stub.records()), ["child", "parent", "parent"])

    def run_python(self, program):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program], cwd=os.path.dirname(os.path.abspath(__file__)),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30)
        self.assertEqual((done.returncode, done.stdout), (0, b""))


if __name__ == "__main__":
    unittest.main()
