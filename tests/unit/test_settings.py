"""Settings: one typed place, and no key that is silently ignored."""

from __future__ import annotations

from pathlib import Path

import pytest

from sutazai_ops.errors import BadInput
from sutazai_ops.settings import as_environment, load
from sutazai_ops.settings_page import settings_page

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(autouse=True)
def nowhere(monkeypatch, tmp_path):
    """No setting of whoever runs the tests."""
    import os

    for variable in list(os.environ):
        if variable.startswith("SUTAZAI_"):
            monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused() -> str:
    with pytest.raises(BadInput) as told:
        load()
    return str(told.value)


def test_each_value_says_where_it_came_from(nowhere, monkeypatch):
    (nowhere / "sutazai.toml").write_text('timezone = "Europe/Berlin"\n[backup]\nkeep_within_days = 14\n')
    monkeypatch.setenv("SUTAZAI_BACKUP__KEEP_VERIFIED", "5")
    rows = {key: (value, origin) for key, value, origin in load().rows()}
    assert rows["timezone"] == ("Europe/Berlin", "sutazai.toml")
    assert rows["backup.keep_within_days"] == (14, "sutazai.toml")
    assert rows["backup.keep_verified"] == (5, "SUTAZAI_BACKUP__KEEP_VERIFIED")
    assert rows["environment"] == ("development", "default")


def test_the_environment_wins_over_the_file(nowhere, monkeypatch):
    (nowhere / "sutazai.toml").write_text("[backup]\nkeep_within_days = 14\nkeep_verified = 4\n")
    monkeypatch.setenv("SUTAZAI_BACKUP__KEEP_WITHIN_DAYS", "21")
    backup = load().settings.backup
    assert (backup.keep_within_days, backup.keep_verified) == (21, 4)


def test_an_unknown_variable_is_refused_with_the_nearest(monkeypatch):
    monkeypatch.setenv("SUTAZAI_HOEM", "/x")
    assert "SUTAZAI_HOEM is not a setting" in (words := refused())
    assert "SUTAZAI_HOME" in words


def test_an_unknown_nested_variable_is_refused_by_name(monkeypatch):
    monkeypatch.setenv("SUTAZAI_BACKUP__KEEP_WITHIN_DAY", "7")
    words = refused()
    assert "backup.keep_within_day is not a setting" in words
    assert "backup.keep_within_days" in words


def test_an_unknown_key_of_the_file_is_refused_with_the_file(nowhere):
    (nowhere / "sutazai.toml").write_text("[backup]\nkeep_verifed = 1\n")
    words = refused()
    assert "backup.keep_verifed" in words
    assert "sutazai.toml" in words
    assert "'backup.keep_verified'" in words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[backup]\nkeep_within_days = 0", "backup.keep_within_days is set to 0"),
        ("[backup]\nshrink_limit = 1.0", "backup.shrink_limit"),
        ('timezone = "Europe/Atlantis"', "'Europe/Atlantis' is not a time zone"),
        ('environment = "prod"', "environment is set to 'prod'"),
        ("backup = 3", "backup is set to 3"),
        ("this is no toml", "cannot read sutazai.toml"),
        ('[external.db]\naddress = "postgresql://u:secret@h"', "holds no password"),
        ('[external.db]\naddress = "mysql://h"', "external.db.address"),
    ],
)
def test_a_wrong_value_is_named_with_its_key(nowhere, text, words):
    (nowhere / "sutazai.toml").write_text(text)
    assert words in refused()


def test_a_password_in_an_address_is_not_repeated(nowhere):
    (nowhere / "sutazai.toml").write_text('[external.db]\naddress = "postgresql://u:hunter2@h"')
    assert "hunter2" not in refused()


def test_a_named_file_has_to_be_there(monkeypatch):
    monkeypatch.setenv("SUTAZAI_CONFIG", "/nowhere/sutazai.toml")
    assert "/nowhere/sutazai.toml does not exist" in refused()


def test_an_external_service_is_two_settings(monkeypatch):
    monkeypatch.setenv("SUTAZAI_EXTERNAL__POSTGRES__ADDRESS", "postgresql://backup@db.example:5432")
    monkeypatch.setenv("SUTAZAI_EXTERNAL__POSTGRES__PASSWORD_FILE", "/run/secret")
    external = load().settings.external["postgres"]
    assert (external.address, external.password_file) == ("postgresql://backup@db.example:5432", Path("/run/secret"))


def test_the_page_of_settings_is_the_one_that_this_program_makes():
    assert (DOCS / "settings.md").read_text() == settings_page(), "make it: sutazai-ops config reference"


def test_the_example_on_the_page_is_read(nowhere):
    page = (DOCS / "settings.md").read_text()
    (nowhere / "sutazai.toml").write_text(page.split("```toml")[1].split("```")[0])
    assert load().settings.backup.keep_within_days == 14


def test_a_program_of_ours_is_given_the_very_settings_that_we_have(nowhere, monkeypatch):
    (nowhere / "sutazai.toml").write_text(
        'home = "a home"\ntimezone = "Europe/Berlin"\n[backup]\nkeep_within_days = 14\n[monitoring]\nport = 9200\n'
        '[external.shop]\naddress = "postgresql://b@db.example:5432"\npassword_file = "/p"\n'
        '[alerts.receivers.chat]\nkind = "slack"\nurl_file = "url"\n'
    )
    ours = load().settings
    (nowhere / "elsewhere").mkdir()
    monkeypatch.chdir(nowhere / "elsewhere")
    (nowhere / "elsewhere/sutazai.toml").write_text('environment = "production"\n')
    for name, text in as_environment(ours).items():
        monkeypatch.setenv(name, text)
    assert load().settings == ours


def test_settings_that_are_all_defaults_can_be_given_too(nowhere, monkeypatch):
    ours = load().settings
    for name, text in as_environment(ours).items():
        monkeypatch.setenv(name, text)
    assert load().settings == ours
