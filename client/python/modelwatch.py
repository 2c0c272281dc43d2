"""Hands what an AI service inferred over to modelwatch.

    import modelwatch

    client = modelwatch.Client("http://127.0.0.1:9090", service="shop")

    @client.watch(model="ranker", version="v1.0", features=lambda user: user, prediction=lambda score: score)
    def predict(user):
        return model(user)

    client.label(request_id, "skip")   # when the truth is known

``record`` takes a record and returns at once: records wait in bounded memory
and go out in batches from a background thread. Whatever happens to the server,
the service that records pays nothing for it but the counted drops: see
``stats``. Nothing is kept on disk.

One file, Python 3.8 or newer, the standard library only. Safe to use from any
thread, and after ``os.fork`` (each process then sends its own records).
"""

from __future__ import annotations

import atexit
import base64
import collections
import contextlib
import dataclasses
import email.utils
import functools
import gzip
import inspect
import json
import math
import os
import random
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
import weakref
from datetime import datetime, timezone
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

__all__ = ["Call", "Client", "Stats"]
__version__ = "0.1.0"

_INFERENCES = "/ai/v1/inferences"
_LABELS = "/ai/v1/labels"
_MAX_ANSWER = 8 << 20
_TEMPORARY = (408, 425, 429)
_PERMANENT_5XX = (501, 505)


@dataclasses.dataclass(frozen=True)
class Stats:
    """What became of the records, inferences and labels alike.

    recorded == sent + rejected + dropped + queued
    """

    recorded: int = 0  # calls of record and label
    sent: int = 0  # accepted by the server
    rejected: int = 0  # named as bad by the server, in batches otherwise accepted
    dropped: int = 0  # lost, for the reasons below
    dropped_queue_full: int = 0  # came while queue_size were held
    dropped_refused: int = 0  # the server answered with an error that does not pass by waiting
    dropped_gave_up: int = 0  # failed for retry_for seconds
    dropped_closed: int = 0  # came after close, or close had no more time for them
    queued: int = 0  # held now, waiting or in flight
    retries: int = 0  # repeated requests
    nulled_values: int = 0  # values that JSON cannot hold (NaN, infinities, objects), sent as null
    last_error: str = ""  # the latest failure
    last_rejection: str = ""  # the server's reason for the latest record it rejected


class Client:
    """Sends records to one modelwatch.

    url: modelwatch's address, such as "http://127.0.0.1:9090"; a path in it is
        kept as a prefix.
    service: the name given to records that have none of their own.
    token: sent as a bearer token.
    headers: added to every request.
    batch_size: most records in one request.
    flush_interval: seconds that a record waits for others to travel with.
    queue_size: most records held, those in flight included; further ones are
        dropped and counted.
    request_timeout: seconds for one attempt to send.
    retry_for: seconds after which a failing batch is dropped and counted.
    min_backoff, max_backoff: bounds in seconds of the pause between attempts,
        which doubles; a longer Retry-After of the server wins.
    exit_timeout: seconds that the end of the process waits for what is queued;
        0 for not at all.
    ssl_context: for https; default is Python's own.
    on_error: called with a text for every failure, from the background thread.
    """

    def __init__(
        self,
        url: str,
        service: str = "",
        *,
        token: Optional[str] = None,
        headers: Optional[Mapping[str, str]] = None,
        batch_size: int = 1000,
        flush_interval: float = 1.0,
        queue_size: int = 10_000,
        request_timeout: float = 10.0,
        retry_for: float = 300.0,
        min_backoff: float = 0.5,
        max_backoff: float = 30.0,
        exit_timeout: float = 5.0,
        ssl_context: Optional[ssl.SSLContext] = None,
        on_error: Optional[Callable[[str], None]] = None,
    ) -> None:
        base, login = _split_url(url)
        for name, value in (
            ("batch_size", batch_size), ("queue_size", queue_size), ("flush_interval", flush_interval),
            ("request_timeout", request_timeout), ("retry_for", retry_for),
            ("min_backoff", min_backoff), ("max_backoff", max_backoff),
        ):
            if not value > 0:
                raise ValueError(f"{name} is {value!r}: want more than 0")
        self._base = base
        self._service = service
        self._headers = dict(headers or {})
        if login:
            self._headers["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
        if token:
            self._headers["Authorization"] = "Bearer " + token
        self._batch_size = min(batch_size, queue_size)
        self._flush_interval = flush_interval
        self._queue_size = queue_size
        self._request_timeout = request_timeout
        self._retry_for = retry_for
        self._min_backoff = min_backoff
        self._max_backoff = max(max_backoff, min_backoff)
        self._exit_timeout = exit_timeout
        self._on_error = on_error
        # Redirects are not followed: a POST turned into a GET would look like a
        # success, and a token must not travel to another host.
        self._opener = urllib.request.build_opener(
            _NoRedirect, urllib.request.HTTPSHandler(context=ssl_context))
        self._counts: Dict[str, Any] = {f.name: f.default for f in dataclasses.fields(Stats)}
        self._closed = False
        self._reset()
        _clients.add(self)

    # What the caller does.

    def record(
        self,
        model: str,
        version: str = "",
        *,
        service: str = "",
        endpoint: str = "",
        timestamp: Optional[float] = None,
        request_id: str = "",
        duration: Optional[float] = None,
        status_code: int = 0,
        error: str = "",
        features: Optional[Mapping[str, Any]] = None,
        prediction: Any = None,
        probabilities: Optional[Mapping[str, float]] = None,
        input_tokens: Optional[int] = None,
        output_tokens: Optional[int] = None,
        time_to_first_token: Optional[float] = None,
        tags: Optional[Mapping[str, str]] = None,
    ) -> None:
        """Hands over one inference; never blocks, never fails.

        timestamp is in Unix seconds or a datetime, default now; duration and
        time_to_first_token are in seconds. error is a class ("timeout") or a
        text. features maps names to numbers, strings, booleans, None or lists
        of numbers; NumPy values are understood. Lists inside must not change
        afterwards.
        """
        fields: Dict[str, Any] = {"model": model}
        for name, value in (
            ("service", service or self._service), ("model_version", version), ("endpoint", endpoint),
            ("request_id", request_id), ("status_code", status_code), ("error", error),
        ):
            if value:
                fields[name] = value
        fields["timestamp"] = time.time() if timestamp is None else timestamp
        for name, value in (
            ("duration_seconds", duration), ("prediction", prediction),
            ("time_to_first_token_seconds", time_to_first_token),
        ):
            if value is not None:
                fields[name] = value
        for name, mapping in (("features", features), ("probabilities", probabilities), ("tags", tags)):
            if mapping is not None:
                try:
                    fields[name] = dict(mapping)
                except (TypeError, ValueError):
                    fields[name] = None
        if input_tokens is not None or output_tokens is not None:
            fields["tokens"] = {"input": input_tokens or 0, "output": output_tokens or 0}
        self._put(self._inferences, fields)

    def label(self, request_id: str, label: Any, *, timestamp: Optional[float] = None) -> None:
        """Hands over the truth about an earlier inference, on the terms of record.

        It is sent after the inferences recorded before it.
        """
        self._put(self._labels, {
            "request_id": request_id, "label": label,
            "timestamp": time.time() if timestamp is None else timestamp,
        })

    def flush(self, timeout: float = 10.0) -> bool:
        """Sends what is queued now; True when all of it was accepted, refused or given up in time."""
        deadline = time.monotonic() + timeout
        with self._lock:
            goal = self._next_seq
            self._flush_to = goal
            self._changed.notify_all()
            while self._oldest() < goal:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(left)
            return True

    def close(self, timeout: float = 10.0) -> bool:
        """Takes no more records, sends the rest within timeout seconds, and stops.

        True when all was sent in time; the rest is dropped and counted.
        """
        with self._lock:
            self._closed = True
        done = self.flush(timeout)
        with self._lock:
            self._stopped = True
            left = len(self._inferences) + len(self._labels) + len(self._in_flight)
            self._inferences.clear()
            self._labels.clear()
            self._in_flight = []
            self._drop("closed", left)
            thread = self._thread
            self._changed.notify_all()
        if done and thread is not None and thread is not threading.current_thread():
            thread.join(1.0)
        return done and left == 0

    def stats(self) -> Stats:
        """What became of everything recorded so far."""
        with self._lock:
            counts = dict(self._counts)
            counts["queued"] = len(self._inferences) + len(self._labels) + len(self._in_flight)
        return Stats(**counts)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *exc: Any) -> None:
        self.close()

    # Measuring.

    @contextlib.contextmanager
    def measure(self, model: str, version: str = "", **fields: Any):
        """Measures a block and records it, also when it raises.

            with client.measure("ranker", "v1.0", request_id=rid) as call:
                call.features = features
                call.prediction = rank(features)

        The call has the fields of record as attributes, and first_token() to
        note the time to the first token.
        """
        call = Call(self, dict(fields, model=model, version=version))
        try:
            yield call
        except BaseException as err:
            call._finish(err)
            raise
        call._finish(None)

    def watch(
        self,
        model: str,
        version: str = "",
        *,
        features: Optional[Callable[..., Mapping[str, Any]]] = None,
        prediction: Optional[Callable[[Any], Any]] = None,
        request_id: Optional[Callable[..., str]] = None,
        **fields: Any,
    ):
        """Decorates a function, coroutine function or (async) generator function so that each call is recorded.

        features and request_id get the function's arguments, prediction its
        result; an error in them costs only what they would have given. Of a
        generator, the time to the first item is the time to the first token,
        and prediction gets the list of its items. Other fields of record are
        taken as they are.
        """
        Call(self, dict(fields))  # an unknown field is an error here, not at each call

        def begin(args: tuple, kwargs: dict) -> Call:
            call = Call(self, dict(fields, model=model, version=version))
            for name, get in (("features", features), ("request_id", request_id)):
                if get is not None:
                    self._guarded(call, name, get, *args, **kwargs)
            return call

        def end(call: Call, result: Any) -> None:
            if prediction is not None:
                self._guarded(call, "prediction", prediction, result)
            call._finish(None)

        def decorate(function: Callable) -> Callable:
            if inspect.isasyncgenfunction(function):
                @functools.wraps(function)
                async def wrapped(*args: Any, **kwargs: Any):
                    call, items = begin(args, kwargs), []
                    stream = function(*args, **kwargs)
                    try:
                        try:
                            async for item in stream:
                                call.first_token()
                                if prediction is not None:
                                    items.append(item)
                                yield item
                        finally:
                            await stream.aclose()
                    except BaseException as err:
                        call._finish(err)
                        raise
                    end(call, items)
            elif inspect.isgeneratorfunction(function):
                @functools.wraps(function)
                def wrapped(*args: Any, **kwargs: Any):
                    call, items = begin(args, kwargs), []
                    try:
                        with contextlib.closing(function(*args, **kwargs)) as stream:
                            for item in stream:
                                call.first_token()
                                if prediction is not None:
                                    items.append(item)
                                yield item
                    except BaseException as err:
                        call._finish(err)
                        raise
                    end(call, items)
            elif inspect.iscoroutinefunction(function):
                @functools.wraps(function)
                async def wrapped(*args: Any, **kwargs: Any):
                    call = begin(args, kwargs)
                    try:
                        result = await function(*args, **kwargs)
                    except BaseException as err:
                        call._finish(err)
                        raise
                    end(call, result)
                    return result
            else:
                @functools.wraps(function)
                def wrapped(*args: Any, **kwargs: Any):
                    call = begin(args, kwargs)
                    try:
                        result = function(*args, **kwargs)
                    except BaseException as err:
                        call._finish(err)
                        raise
                    end(call, result)
                    return result
            return wrapped

        return decorate

    def wsgi(self, app: Callable, model: str, version: str = "", **fields: Any) -> Callable:
        """Wraps a WSGI application (Flask, Django) that serves a model: duration, status, endpoint."""
        Call(self, dict(fields))

        def wrapped(environ: dict, start_response: Callable):
            call = Call(self, dict(fields, model=model, version=version))
            call.endpoint = call.endpoint or environ.get("PATH_INFO", "")
            call.request_id = call.request_id or environ.get("HTTP_X_REQUEST_ID", "")

            def start(status: str, *rest: Any):
                with contextlib.suppress(ValueError):
                    call.status(int(status.split(" ", 1)[0]))
                return start_response(status, *rest)

            try:
                return _WatchedBody(app(environ, start), call)
            except BaseException as err:
                call._finish(err)
                raise

        return wrapped

    def asgi(self, app: Callable, model: str, version: str = "", **fields: Any) -> Callable:
        """Wraps an ASGI application (FastAPI, Starlette) that serves a model: duration, status, endpoint."""
        Call(self, dict(fields))

        async def wrapped(scope: dict, receive: Callable, send: Callable) -> None:
            if scope.get("type") != "http":
                await app(scope, receive, send)
                return
            call = Call(self, dict(fields, model=model, version=version))
            if not call.request_id:
                for name, value in scope.get("headers", ()):
                    if name == b"x-request-id":
                        call.request_id = value.decode("latin-1")

            async def watched_send(message: dict) -> None:
                if message.get("type") == "http.response.start":
                    call.status(message["status"])
                elif message.get("type") == "http.response.body" and message.get("more_body") and message.get("body"):
                    call.first_token()
                await send(message)

            try:
                await app(scope, receive, watched_send)
            except BaseException as err:
                call.endpoint = call.endpoint or _asgi_endpoint(scope)
                call._finish(err)
                raise
            call.endpoint = call.endpoint or _asgi_endpoint(scope)
            call._finish(None)

        return wrapped

    def _guarded(self, call: "Call", name: str, get: Callable, *args: Any, **kwargs: Any) -> None:
        try:
            setattr(call, name, get(*args, **kwargs))
        except Exception as err:
            with self._lock:
                self._counts["last_error"] = f"{name} of a watched call: {err!r}"

    # The queue.

    def _reset(self) -> None:
        """Makes a fresh, empty queue: at the start, and in a forked child."""
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._inferences: "collections.deque[Tuple[int, float, dict]]" = collections.deque()
        self._labels: "collections.deque[Tuple[int, float, dict]]" = collections.deque()
        self._in_flight: List[Tuple[int, float, dict]] = []
        self._next_seq = 0
        self._flush_to = 0
        self._stopped = False
        self._thread: Optional[threading.Thread] = None

    def _after_fork(self) -> None:
        closed = self._closed
        self._reset()
        # What was queued is the parent's to send and to count.
        self._counts = {f.name: f.default for f in dataclasses.fields(Stats)}
        self._closed = self._stopped = closed

    def _put(self, queue: "collections.deque", fields: dict) -> None:
        with self._lock:
            self._counts["recorded"] += 1
            if self._closed:
                self._drop("closed", 1)
                return
            if len(self._inferences) + len(self._labels) + len(self._in_flight) >= self._queue_size:
                self._drop("queue_full", 1)
                return
            queue.append((self._next_seq, time.monotonic(), fields))
            self._next_seq += 1
            if self._thread is None:
                try:
                    self._thread = threading.Thread(target=self._run, name="modelwatch", daemon=True)
                    self._thread.start()
                except RuntimeError as err:  # the interpreter is ending
                    self._thread = None
                    self._counts["last_error"] = f"start the background thread: {err}"
            elif len(queue) in (1, self._batch_size):
                self._changed.notify_all()

    def _drop(self, reason: str, n: int) -> None:
        self._counts["dropped"] += n
        self._counts["dropped_" + reason] += n

    def _oldest(self) -> int:
        """The sequence number of the oldest record not done; the next one if there is none."""
        numbers = [q[0][0] for q in (self._in_flight, self._inferences, self._labels) if q]
        return min(numbers, default=self._next_seq)

    def _take(self) -> Optional[Tuple[str, List[dict]]]:
        """Waits for records that are due. None when the client stops."""
        with self._lock:
            while not self._stopped:
                now = time.monotonic()
                wait: Optional[float] = None
                # A label waits for the inferences recorded before it.
                barrier = self._inferences[0][0] if self._inferences else self._next_seq
                for path, queue, before in (
                    (_LABELS, self._labels, barrier), (_INFERENCES, self._inferences, self._next_seq),
                ):
                    if not queue or queue[0][0] >= before:
                        continue
                    left = queue[0][1] + self._flush_interval - now
                    if left > 0 and len(queue) < self._batch_size and queue[0][0] >= self._flush_to:
                        wait = left if wait is None else min(wait, left)
                        continue
                    while queue and queue[0][0] < before and len(self._in_flight) < self._batch_size:
                        self._in_flight.append(queue.popleft())
                    return path, [entry[2] for entry in self._in_flight]
                self._changed.wait(wait)
        return None

    # The background thread.

    def _run(self) -> None:
        lock = self._lock  # after a fork, there is another
        while True:
            taken = self._take()
            if taken is None:
                return
            path, records = taken
            try:
                outcome = self._deliver(path, records, time.monotonic() + self._retry_for)
            except Exception as err:  # nothing here may end the thread
                self._note_error(f"{len(records)} records dropped: {err!r}")
                outcome = collections.Counter(dropped=len(records), dropped_gave_up=len(records))
            with lock:
                if not self._stopped:  # otherwise close has counted them
                    self._in_flight = []
                    for name, n in outcome.items():
                        self._counts[name] += n
                self._changed.notify_all()

    def _deliver(self, path: str, records: List[dict], give_up: float) -> "collections.Counter":
        """Sends records, in halves if the server finds them too many; each is counted once."""
        body, nulled = _encode(records)
        status, answer = self._post(path, body, give_up)
        n = len(records)
        if status == 413 and n > 1:
            return (self._deliver(path, records[: n // 2], give_up)
                    + self._deliver(path, records[n // 2:], give_up))
        outcome: "collections.Counter" = collections.Counter(nulled_values=nulled)
        if 200 <= status < 300:
            rejected, reason = _rejections(answer, n)
            outcome.update(sent=n - rejected, rejected=rejected)
            if rejected:
                with self._lock:
                    self._counts["last_rejection"] = reason
                self._note_error(f"server rejected {rejected} of {n} records, the last for: {reason}")
            return outcome
        reason = "gave_up" if _is_temporary(status) else "refused"
        outcome.update({"dropped": n, "dropped_" + reason: n})
        self._note_error(f"{n} records dropped: {answer}")
        return outcome

    def _post(self, path: str, body: bytes, give_up: float) -> Tuple[int, str]:
        """Sends one body until it is accepted, refused or given up; the status (0: none) and the answer."""
        request_id = uuid.uuid4().hex  # the same for each attempt, so that it counts once
        backoff = self._min_backoff
        while True:
            status, answer, retry_after = self._attempt(path, request_id, body)
            if not _is_temporary(status):
                return status, answer
            # Spread at random, so that many clients do not come back at once.
            wait = max(backoff * (0.5 + random.random() / 2), min(retry_after, self._retry_for))
            backoff = min(2 * backoff, self._max_backoff)
            if time.monotonic() + wait > give_up:
                return status, f"given up after {self._retry_for:g} s: {answer}"
            self._note_error(f"will be tried again in {wait:.3f} s: {answer}")
            with self._lock:
                until = time.monotonic() + wait
                while not self._stopped and time.monotonic() < until:
                    self._changed.wait(until - time.monotonic())
                if self._stopped:
                    return status, answer
                self._counts["retries"] += 1

    def _attempt(self, path: str, request_id: str, body: bytes) -> Tuple[int, str, float]:
        headers = dict(self._headers)
        headers.update({
            "Content-Type": "application/x-ndjson", "Content-Encoding": "gzip",
            "X-Modelwatch-Batch-Id": request_id, "User-Agent": "modelwatch-python/" + __version__,
        })
        request = urllib.request.Request(self._base + path, data=body, headers=headers, method="POST")
        try:
            with self._opener.open(request, timeout=self._request_timeout) as response:
                return response.status, response.read(_MAX_ANSWER).decode("utf-8", "replace"), 0.0
        except urllib.error.HTTPError as err:
            with err:
                try:
                    text = err.read(300).decode("utf-8", "replace").strip().split("\n")[0]
                except Exception:
                    text = ""
                location = err.headers.get("Location", "")
                if location and err.code < 400:
                    text = f"redirected to {location}: give that address as url"
                return err.code, f"POST {path}: status {err.code}: {text}", _retry_after(err.headers.get("Retry-After"))
        except Exception as err:  # the network's errors are of many classes
            return 0, f"POST {path}: {getattr(err, 'reason', err) or repr(err)}", 0.0

    def _note_error(self, text: str) -> None:
        with self._lock:
            self._counts["last_error"] = text
        if self._on_error is not None:
            with contextlib.suppress(Exception):
                self._on_error(text)


class Call:
    """One inference being measured: the fields of Client.record as attributes."""

    def __init__(self, client: Client, fields: Dict[str, Any]) -> None:
        self.model = ""
        self.version = ""
        self.service = ""
        self.endpoint = ""
        self.request_id = ""
        self.status_code = 0
        self.error = ""
        self.features: Optional[Mapping[str, Any]] = None
        self.prediction: Any = None
        self.probabilities: Optional[Mapping[str, float]] = None
        self.input_tokens: Optional[int] = None
        self.output_tokens: Optional[int] = None
        self.time_to_first_token: Optional[float] = None
        self.tags: Optional[Mapping[str, str]] = None
        names = set(vars(self))
        for name, value in fields.items():
            if name not in names:
                raise TypeError(f"unknown field {name!r}; known are {', '.join(sorted(names))}")
            setattr(self, name, value)
        self._names = names
        self._client = client
        self._start = time.perf_counter()
        self._done = False

    def first_token(self) -> None:
        """Notes that the first token has come; later calls change nothing."""
        if self.time_to_first_token is None:
            self.time_to_first_token = time.perf_counter() - self._start

    def status(self, code: int) -> None:
        """Notes the HTTP status, and the class of error that it stands for."""
        self.status_code = code
        self.error = "server_error" if code >= 500 else "client_error" if code >= 400 else ""

    def _finish(self, err: Optional[BaseException]) -> None:
        if self._done:
            return
        self._done = True
        if err is not None and not isinstance(err, GeneratorExit):  # a reader that stops early is no error
            self.error = _error_class(err)
        fields = {name: getattr(self, name) for name in self._names}
        self._client.record(duration=time.perf_counter() - self._start, **fields)


class _WatchedBody:
    """A WSGI answer that ends its call when it is closed."""

    def __init__(self, body: Any, call: Call) -> None:
        self._body = body
        self._iterator = iter(body)
        self._call = call

    def __iter__(self) -> "_WatchedBody":
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._iterator)
        except StopIteration:
            raise
        except BaseException as err:
            self._call._finish(err)
            raise

    def close(self) -> None:
        try:
            if hasattr(self._body, "close"):
                self._body.close()
        finally:
            self._call._finish(None)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any) -> None:
        return None


def _asgi_endpoint(scope: dict) -> str:
    """The route's pattern where the framework tells it, otherwise the path."""
    return getattr(scope.get("route"), "path", "") or scope.get("path", "")


def _error_class(err: BaseException) -> str:
    if isinstance(err, TimeoutError):
        return "timeout"
    if isinstance(err, MemoryError):
        return "out_of_memory"
    name = type(err).__name__
    return {"CancelledError": "canceled", "TimeoutError": "timeout", "OutOfMemoryError": "out_of_memory"}.get(name, name)


def _split_url(url: str) -> Tuple[str, str]:
    """The address without login and trailing slash, and the login."""
    wanted = "url: want http://HOST:PORT or https://HOST:PORT, with a path at most"
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError as err:
        raise ValueError(wanted) from err
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(wanted)
    login = ""
    if parts.username is not None:
        login = urllib.parse.unquote(parts.username) + ":" + urllib.parse.unquote(parts.password or "")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if port is not None:
        host += f":{port}"
    return f"{parts.scheme}://{host}{parts.path.rstrip('/')}", login


def _is_temporary(status: int) -> bool:
    return status == 0 or status in _TEMPORARY or (status >= 500 and status not in _PERMANENT_5XX)


def _retry_after(value: Optional[str]) -> float:
    """Seconds that a Retry-After header asks for, in either of its forms; 0 for none."""
    if not value:
        return 0.0
    if value.isascii() and value.isdigit() and len(value) < 10:
        return float(value)
    try:
        at = email.utils.parsedate_to_datetime(value)
        return max(0.0, at.timestamp() - time.time())
    except (TypeError, ValueError, IndexError, OverflowError):
        return 0.0


def _rejections(answer: str, n: int) -> Tuple[int, str]:
    """How many of n records were rejected, and why the last. Another form of answer means none."""
    try:
        said = json.loads(answer)
        rejected = said["rejected"]
        if not rejected:
            return 0, ""
        count = len(rejected)
        if isinstance(said.get("accepted"), int):  # the list of names may be cut short
            count = max(count, n - said["accepted"])
        return min(count, n), f"record {rejected[-1]['index']}: {rejected[-1]['error']}"
    except (ValueError, TypeError, KeyError, AttributeError, IndexError):
        return 0, ""


def _encode(records: List[dict]) -> Tuple[bytes, int]:
    """Compressed NDJSON, and how many values became null."""
    lines = []
    nulled = 0
    for record in records:
        try:
            lines.append(json.dumps(record, allow_nan=False, separators=(",", ":")))
        except Exception:  # NaN, NumPy, or an object of the caller's: look at each value
            clean = _Cleaner()
            lines.append(json.dumps(clean.value(record), separators=(",", ":")))
            nulled += clean.nulled
    return gzip.compress(("\n".join(lines) + "\n").encode("utf-8"), compresslevel=1), nulled


class _Cleaner:
    """Makes JSON of anything; what has no form in it becomes null and is counted."""

    def __init__(self) -> None:
        self.nulled = 0
        self._inside: List[int] = []  # the containers being looked at, to notice one inside itself

    def value(self, value: Any) -> Any:
        try:
            if value is None or isinstance(value, (bool, str)):
                return value
            if isinstance(value, int):
                return int(value)
            if isinstance(value, float):
                return float(value) if math.isfinite(value) else self.null()
            if isinstance(value, datetime):
                return value.astimezone(timezone.utc).isoformat()
            if id(value) in self._inside or len(self._inside) > 50:
                return self.null()
            self._inside.append(id(value))
            try:
                if isinstance(value, Mapping):
                    return {str(k): self.value(v) for k, v in list(value.items())}
                if isinstance(value, (list, tuple, set, frozenset)):
                    return [self.value(v) for v in list(value)]
                if hasattr(value, "tolist"):  # NumPy, pandas, PyTorch
                    return self.value(value.tolist())
            finally:
                self._inside.pop()
        except Exception:
            pass
        return self.null()

    def null(self) -> None:
        self.nulled += 1
        return None


_clients: "weakref.WeakSet[Client]" = weakref.WeakSet()


def _close_all() -> None:
    """At the end of the process: sends what is queued, within each client's exit_timeout."""
    for client in list(_clients):
        if not client._closed and client._exit_timeout > 0:
            client.close(client._exit_timeout)


def _after_fork() -> None:
    for client in list(_clients):
        client._after_fork()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
