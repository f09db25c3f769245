"""Where questions are asked: a Prometheus, or whatever answers as one.

What comes back keeps the server's own warnings, since a figure that rests on a doubtful answer has to say so.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from sutazai_ops import human
from sutazai_ops.errors import BadInput, OpsError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

POINTS_AT_MOST = 11_000
"""Prometheus refuses a range of more points a series; longer ones are asked in parts."""
ANSWER_BYTES = 256 * 1024 * 1024
TRIES = 3
PAUSE_SECONDS = 0.5
UNAVAILABLE = 503
"""What Prometheus answers while it starts, and when a query took too long: the only statuses worth asking again."""


@dataclass(frozen=True, slots=True)
class Line:
    """One series of an answer."""

    labels: Mapping[str, str]
    points: Sequence[tuple[int, float]]
    """Seconds since the epoch, and the value; NaN is left out, since it says that there is none."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a question was answered with."""

    lines: tuple[Line, ...]
    notices: tuple[str, ...] = ()
    """The server's warnings."""


class Source(Protocol):
    """Answers PromQL."""

    @property
    def where(self) -> str:
        """Its address, for messages and reports; without user and password."""

    def over(self, query: str, start: int, end: int, step: int) -> Answer:
        """The query at `start`, `start + step` … up to `end`, all in seconds since the epoch."""

    def at(self, query: str, moment: int) -> Answer:
        """The query at one moment."""


class TimedOut(Unreachable):
    """Prometheus is there, and gave one question up."""


class PrometheusSource:
    """A Prometheus, by its address.

    Questions are POSTed, so that none is too long for an address. Each ends within its time. One that could not be
    asked or was answered 503 is asked again, since a server that starts says so; everything else is an answer.
    """

    def __init__(self, url: str, *, seconds: float = 60) -> None:
        import requests

        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise BadInput(f"{url!r} is no address of a Prometheus", remedy="write it as http://HOST:9090")
        self._url = url.rstrip("/")
        self._seconds = seconds
        self._session = requests.Session()
        # Neither proxies nor ~/.netrc of whoever runs us: see sutazai_ops/http.py.
        self._session.trust_env = False
        self.where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"

    def over(self, query: str, start: int, end: int, step: int) -> Answer:
        """The query over a range, asked in parts where it has too many points.

        Raises:
            Unreachable: when it does not answer, or not in time.
            BadInput: when it refuses the query.
        """
        span = step * (POINTS_AT_MOST - 1)
        parts = [
            self._ask("query_range", {"query": query, "start": first, "end": min(end, first + span), "step": step})
            for first in range(start, end + 1, span + step)
        ]
        return parts[0] if len(parts) == 1 else _joined(parts)

    def at(self, query: str, moment: int) -> Answer:
        """The query at one moment; raises as `over`."""
        return self._ask("query", {"query": query, "time": moment})

    def _ask(self, what: str, form: dict[str, Any]) -> Answer:
        for attempt in range(TRIES):
            try:
                status, body = self._post(what, form)
            except Unreachable:
                if attempt == TRIES - 1:
                    raise
            else:
                if status != UNAVAILABLE or attempt == TRIES - 1:
                    return self._read(status, body, str(form["query"]))
            time.sleep(PAUSE_SECONDS * 2**attempt)
        raise AssertionError

    def _post(self, what: str, form: dict[str, Any]) -> tuple[int, bytes]:
        import requests

        deadline = time.monotonic() + self._seconds
        chunks, size = [], 0
        try:
            with self._session.post(
                f"{self._url}/api/v1/{what}",
                data={**form, "timeout": f"{self._seconds:g}s"},
                timeout=(min(5.0, self._seconds), self._seconds),
                stream=True,
                allow_redirects=False,
            ) as response:
                for chunk in response.iter_content(1 << 20):
                    chunks.append(chunk)
                    size += len(chunk)
                    if time.monotonic() > deadline or size > ANSWER_BYTES:
                        break
                status = response.status_code
        except requests.Timeout:
            raise self._late() from None
        except (requests.RequestException, OSError) as error:
            raise Unreachable(
                f"Prometheus cannot be asked: {_cause(error)}", where=self.where, remedy="is it running?"
            ) from None
        if time.monotonic() > deadline:
            raise self._late()
        if size > ANSWER_BYTES:
            raise OpsError(f"Prometheus answers more than {human.size(ANSWER_BYTES)}", where=self.where)
        return status, b"".join(chunks)

    def _late(self) -> Unreachable:
        return Unreachable(f"Prometheus gives no whole answer within {human.duration(self._seconds)}", where=self.where)

    def _read(self, status: int, body: bytes, query: str) -> Answer:
        try:
            content = json.loads(body)
            if content["status"] == "success":
                return _answer(content)
            kind, message = str(content.get("errorType", "")), str(content.get("error", ""))
        except (ValueError, KeyError, TypeError):
            raise OpsError(
                f"what answers is no Prometheus: it says {status} and {body[:60].decode('utf-8', 'replace')!r}",
                where=self.where,
            ) from None
        if kind == "timeout":
            raise TimedOut(f"Prometheus did not answer in time: {message}", where=query)
        if status == UNAVAILABLE:
            raise Unreachable(f"Prometheus did not answer in time: {message}", where=query)
        raise BadInput(f"Prometheus refuses the question: {message or status}", where=query)


class Remembering:
    """Asks each question once: what two objectives ask alike, such as a service's probe, is answered from memory."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._known: dict[tuple[str, int, int, int], Answer] = {}
        self.where = source.where

    def over(self, query: str, start: int, end: int, step: int) -> Answer:
        """As the source's own."""
        key = (query, start, end, step)
        if key not in self._known:
            self._known[key] = self._source.over(query, start, end, step)
        return self._known[key]

    def at(self, query: str, moment: int) -> Answer:
        """As the source's own."""
        key = (query, moment, moment, 0)
        if key not in self._known:
            self._known[key] = self._source.at(query, moment)
        return self._known[key]


def _answer(content: Mapping[str, Any]) -> Answer:
    data = content["data"]
    is_range = data["resultType"] == "matrix"
    lines = tuple(
        Line(one["metric"], list(_points(one["values"] if is_range else [one["value"]])))
        for one in (data["result"] if data["resultType"] != "scalar" else ())
    )
    # Notes of the second kind ("infos") say what could be written better and cast no doubt on the numbers.
    return Answer(lines, tuple(map(str, content.get("warnings") or ())))


def _points(values: Sequence[Sequence[Any]]) -> Sequence[tuple[int, float]]:
    read = ((round(moment), float(value)) for moment, value in values)
    return [(moment, value) for moment, value in read if not math.isnan(value)]


def _joined(parts: Sequence[Answer]) -> Answer:
    points: dict[tuple[tuple[str, str], ...], list[tuple[int, float]]] = {}
    for part in parts:
        for line in part.lines:
            points.setdefault(tuple(sorted(line.labels.items())), []).extend(line.points)
    notices = dict.fromkeys(notice for part in parts for notice in part.notices)
    return Answer(tuple(Line(dict(labels), found) for labels, found in points.items()), tuple(notices))


def _cause(error: BaseException) -> str:
    """The first cause of an error of requests that has words of its own."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return (getattr(error, "strerror", None) or str(error).rpartition(": ")[2] or type(error).__name__).lower()
