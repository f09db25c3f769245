"""Telling people: each way of doing so is told once that an alert has begun and once that it has ended.

What could not be delivered is tried again and counted, for each way by itself. Whoever was told that something fires is
told again after `repeat_hours`. What says nothing new is not told: an alert that another one inhibits, for as long as
that one fires.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Protocol

from sutazai_ops.errors import OpsError
from sutazai_ops.monitoring.exporter.alerting import Notice
from sutazai_ops.monitoring.exporter.kept import Told

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from sutazai_ops.monitoring.exporter.kept import KeptAlerts
    from sutazai_ops.monitoring.exporter.tallies import Tallies
    from sutazai_ops.monitoring.thresholds import Rulebook

TRIED_AGAIN_SECONDS = 30.0

log = logging.getLogger(__name__)


class Notifier(Protocol):
    """One way to tell people, or a program that tells them."""

    @property
    def name(self) -> str:
        """Its word in figures and in the log: that of the receiver in the settings."""

    @property
    def forgets(self) -> bool:
        """Whether it has to hear again and again of what fires, as Alertmanager has."""

    def wants(self, notice: Notice) -> bool:
        """Whether this one is for it at all."""

    def tell(self, news: Sequence[Notice], firing: Sequence[Notice]) -> None:
        """Deliver, in one message a service where that is its manner.

        Args:
            news: what has begun, has ended, or is told again.
            firing: everything that fires now, for those that have to be told of that again and again.

        Raises:
            OpsError: when it was not delivered; all of it is tried again.
        """


class Teller:
    """Tells one notifier what it does not know yet."""

    def __init__(
        self,
        notifier: Notifier,
        rulebook: Rulebook,
        kept: KeptAlerts,
        tallies: Tallies,
        repeat_seconds: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.notifier = notifier
        self._rulebook, self._kept, self._tallies = rulebook, kept, tallies
        self._repeat_seconds, self._now = repeat_seconds, now
        self._failed_at: float | None = None
        for name in ("sutazai_notifications_total", "sutazai_notifications_failed_total"):
            tallies.count(name, 0, receiver=notifier.name)

    def tell(self, notices: Sequence[Notice], pending: Collection[str] = ()) -> None:
        """Tell it what is new.

        Args:
            notices: all that there are.
            pending: the keys of alerts that may fire soon: of one that fired before, the end is not told meanwhile.
        """
        now = self._now()
        if self._failed_at is not None and 0 <= now - self._failed_at < TRIED_AGAIN_SECONDS:
            return
        told = dict(self._kept.told(self.notifier.name))
        wanted = [one for one in notices if self.notifier.wants(one)]
        news = [one for one in wanted if self._is_news(one, told.get(one.key), notices, now)]
        there = {one.key for one in notices}.union(pending)
        news += [_gone(key, one, now) for key, one in told.items() if key not in there and not one.ended]
        if news or self._has_to_hear(wanted):
            try:
                self.notifier.tell(news, [one for one in wanted if one.ended_at is None])
            except OpsError as error:
                self._failed(error, now)
                return
            self._delivered(news)
        told |= {one.key: _told(one, now) for one in news}
        self._kept.keep_told(self.notifier.name, {key: one for key, one in told.items() if key in there})

    def _has_to_hear(self, wanted: Sequence[Notice]) -> bool:
        return self.notifier.forgets and any(one.ended_at is None for one in wanted)

    def _is_news(self, one: Notice, told: Told | None, notices: Sequence[Notice], now: float) -> bool:
        if one.ended_at is not None:
            # Who was not told that it began need not hear that it ended.
            return told is not None and not told.ended
        if is_inhibited(one, notices, self._rulebook):
            return False
        if told is None or told.ended:
            return True
        return not 0 <= now - told.at < self._repeat_seconds

    def _failed(self, error: OpsError, now: float) -> None:
        self._tallies.count("sutazai_notifications_failed_total", receiver=self.notifier.name)
        if self._failed_at is None:
            log.warning("%s could not be told: %s", self.notifier.name, error.what)
        self._failed_at = now

    def _delivered(self, news: Sequence[Notice]) -> None:
        if self._failed_at is not None:
            log.info("%s is told again", self.notifier.name)
        self._failed_at = None
        if news:
            self._tallies.count("sutazai_notifications_total", receiver=self.notifier.name)


def _told(notice: Notice, now: float) -> Told:
    return Told(
        ended=notice.ended_at is not None,
        at=now,
        threshold=notice.threshold,
        labels=notice.labels,
        annotations=notice.annotations,
        begun_at=notice.begun_at,
        value=notice.value,
    )


def _gone(key: str, told: Told, now: float) -> Notice:
    """The end of an alert that is no longer there, such as one whose threshold was taken away."""
    return Notice(key, told.threshold, told.labels, told.annotations, told.begun_at, now, told.value)


def is_inhibited(one: Notice, notices: Sequence[Notice], rulebook: Rulebook) -> bool:
    """Whether something fires beside which it says nothing new: for the same service, or for the whole platform."""
    return any(
        rulebook.thresholds[other.threshold].silences(one.threshold, one.service, beside=other.service)
        for other in notices
        if other.ended_at is None and other.key != one.key
    )
