"""The call to an address outside: while all is watched, and never otherwise."""

from __future__ import annotations

import pytest
from probe_servers import page, serving

from sutazai_ops.engines.daemons import free_port
from sutazai_ops.monitoring.exporter.watchdog import Watchdog


class Outside:
    """Remembers which paths were asked for."""

    def __init__(self, status: int = 200) -> None:
        self.called: list[str] = []
        self.answer = page(status)

    def __call__(self, connection, over) -> None:
        self.called.append("called")
        self.answer(connection, over)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "outside"


def test_it_is_called_while_all_is_watched(file):
    outside = Outside()
    with serving(outside) as port:
        file.write_text(f"http://127.0.0.1:{port}/ping/secret\n")
        Watchdog(file, lambda: True).call()
    assert outside.called == ["called"]


def test_silence_is_the_message_when_nothing_is_watched(file, caplog):
    outside = Outside()
    with serving(outside) as port:
        file.write_text(f"http://127.0.0.1:{port}/\n")
        Watchdog(file, lambda: False).call()
    assert outside.called == []
    assert "nothing is watched" in caplog.text


def test_what_goes_wrong_is_told_once_without_the_secret_address(file, caplog):
    caplog.set_level("INFO")
    file.write_text(f"http://127.0.0.1:{free_port()}/ping/secret\n")
    watchdog = Watchdog(file, lambda: True)
    watchdog.call()
    watchdog.call()
    assert caplog.text.count("refuses the connection") == 1
    assert "secret" not in caplog.text
    with serving(Outside()) as port:
        file.write_text(f"http://127.0.0.1:{port}/\n")
        watchdog.call()
    assert "hears us again" in caplog.text


@pytest.mark.parametrize("status", [404, 500])
def test_an_answer_that_is_none_is_told(file, caplog, status):
    with serving(Outside(status)) as port:
        file.write_text(f"http://127.0.0.1:{port}/\n")
        Watchdog(file, lambda: True).call()
    assert f"it answers {status}" in caplog.text


def test_a_file_that_is_missing_is_told(file, caplog):
    Watchdog(file, lambda: True).call()
    assert "cannot be read: No such file" in caplog.text
