"""What settings refuse, and that the words name the key, where it was set, and what was meant."""

from __future__ import annotations

import os

import pytest

from sutazai_ops.errors import BadInput
from sutazai_ops.settings import load


@pytest.fixture(autouse=True)
def nowhere(monkeypatch, tmp_path):
    """No setting of whoever runs the tests."""
    for variable in list(os.environ):
        if variable.upper().startswith("SUTAZAI_"):
            monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused() -> list[str]:
    """The lines of what, where and remedy."""
    with pytest.raises(BadInput) as told:
        load()
    return str(told.value).splitlines()


def test_a_value_out_of_range_is_named_with_the_variable_that_set_it(monkeypatch):
    monkeypatch.setenv("SUTAZAI_BACKUP__KEEP_VERIFIED", "0")
    what, where, _ = refused()
    assert what.startswith("backup.keep_verified is set to '0'")
    assert where == "SUTAZAI_BACKUP__KEEP_VERIFIED"


def test_a_misspelt_key_is_told_before_the_required_one_that_it_leaves_out(monkeypatch):
    monkeypatch.setenv("SUTAZAI_EXTERNAL__POSTGRES__ADRESS", "postgresql://h")
    what, where, remedy = refused()
    assert what == "external.postgres.adress is not a setting"
    assert where == "SUTAZAI_EXTERNAL__POSTGRES__ADRESS"
    assert "'external.postgres.address'" in remedy


def test_a_required_key_that_is_missing_is_told_with_what_is_set_beside_it(monkeypatch):
    monkeypatch.setenv("SUTAZAI_EXTERNAL__POSTGRES__PASSWORD_FILE", "/run/secret")
    what, where, _ = refused()
    assert what.startswith("external.postgres.address")
    assert where == "SUTAZAI_EXTERNAL__POSTGRES__PASSWORD_FILE"


@pytest.mark.parametrize("address", ["postgresql://u:hunter2@h", "postgresql://u@h?password=hunter2"])
def test_a_password_anywhere_in_an_address_is_refused_and_not_repeated(nowhere, address):
    (nowhere / "sutazai.toml").write_text(f'[external.db]\naddress = "{address}"')
    words = refused()
    assert "holds no password" in words[0]
    assert "hunter2" not in "".join(words)


def test_a_port_that_is_none_is_refused(nowhere):
    (nowhere / "sutazai.toml").write_text('[external.db]\naddress = "postgresql://u@h:99999"')
    assert "external.db.address is wrong: port out of range" in refused()[0]


@pytest.mark.parametrize("line", ["0 2 * * *", "*/15 1-5 * * mon-fri", "30 4 1,15 jan *"])
def test_a_cron_line_is_taken(monkeypatch, line):
    monkeypatch.setenv("SUTAZAI_BACKUP__SCHEDULE", line)
    assert load().settings.backup.schedule == line


@pytest.mark.parametrize("key", ["schedule", "deadline"])
@pytest.mark.parametrize("line", ["at two", "0 25 * * *", "0 2 * *", "0 2 * * 8", "0 2 31 2 *", "0 2 LW * *"])
def test_what_is_no_cron_line_or_never_comes_is_refused(nowhere, key, line):
    (nowhere / "sutazai.toml").write_text(f'[backup]\n{key} = "{line}"')
    assert f"backup.{key} is set to {line!r}: " in refused()[0]
    assert "write five fields" in refused()[0]


@pytest.mark.parametrize("line", ["0 * * * *", "0,30 5 * * *", "0 5,17 * * *", "0 5-7 * * *"])
def test_a_deadline_that_comes_more_often_than_daily_is_refused(nowhere, line):
    """Dagster refused it with a traceback when the definitions were loaded."""
    (nowhere / "sutazai.toml").write_text(f'[backup]\ndeadline = "{line}"')
    assert "a deadline comes at most once a day" in refused()[0]


def test_a_list_in_a_variable_is_json(monkeypatch):
    monkeypatch.setenv("SUTAZAI_BACKUP__SERVICES", '["postgres"]')
    assert load().settings.backup.services == ("postgres",)
