"""The platform's secrets: what is generated, what is refused, and what a version tells."""

from __future__ import annotations

import base64
import json
import stat

import pytest

from sutazai_ops.deployment.secrets import NOT_YET, VERSION_KEY, generate, secrets_of, to_generate, versions
from sutazai_ops.errors import BadInput, OpsError
from sutazai_ops.platform import read_platform


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "secrets"


@pytest.fixture
def read(tmp_path, folder):
    def read(later: str = "", **templates: str | None):
        declared = {
            name.replace("_", "-"): {
                "file": f"${{SECRETS_FOLDER}}/{name.replace('_', '-')}",
                **({"x-sutazai": {"generate": template}} if template is not None else {}),
            }
            for name, template in templates.items()
        }
        platform = tmp_path / "platform"
        platform.mkdir(exist_ok=True)
        (platform / "core.yaml").write_text(json.dumps({"services": {"one": {"image": "x"}}, "secrets": declared}))
        if later:
            (platform / "later.yaml").write_text(f"services: {{two: {{image: x}}}}\nsecrets: {later}\n")
        return secrets_of(read_platform(platform, {"SECRETS_FOLDER": str(folder)}))

    return read


def refused(act) -> str:
    with pytest.raises(BadInput) as told:
        act()
    return str(told.value)


def make(secrets, folder) -> dict[str, str]:
    generate(to_generate(secrets), secrets, folder)
    return {name: secret.file.read_text() for name, secret in secrets.items()}


def test_a_template_is_filled_with_random_bytes_and_other_secrets(read, folder):
    secrets = read(
        url="postgresql://app:{password}@db/app",
        password="{hex:16}",
        key="{base64url:32}",
        json='{{"a": "{password}"}}',
    )
    values = make(secrets, folder)
    assert len(bytes.fromhex(values["password"])) == 16
    assert len(base64.urlsafe_b64decode(values["key"] + "=")) == 32
    assert "=" not in values["key"]
    assert values["url"] == f"postgresql://app:{values['password']}@db/app"
    assert json.loads(values["json"]) == {"a": values["password"]}


def test_a_password_that_a_person_wrote_is_used_without_its_newline(read, folder):
    folder.mkdir()
    (folder / "password").write_text("theirs\n")
    assert make(read(url="app:{password}", password=None), folder)["url"] == "app:theirs"


def test_the_folder_is_the_owners_and_the_files_are_readable_to_containers(read, folder):
    make(read(password="{hex:16}"), folder)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())}
    assert modes == {"secrets": 0o700, "password": 0o444, VERSION_KEY: 0o600}


def test_a_folder_that_others_may_read_is_closed_before_a_secret_is_put_there(read, folder):
    folder.mkdir(mode=0o755)
    make(read(password="{hex:16}"), folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_what_is_there_is_never_generated_again(read, folder):
    secrets = read(password="{hex:16}")
    missing = to_generate(secrets)
    first = make(secrets, folder)
    assert to_generate(secrets) == ()
    generate(missing, secrets, folder)
    assert make(secrets, folder) == first


def test_a_secret_that_is_missing_and_has_no_template_is_refused_by_file_and_name(read, folder):
    words = refused(lambda: to_generate(read(token=None)))
    for part in (str(folder / "token"), "secret token", "core.yaml", "generate"):
        assert part in words


@pytest.mark.parametrize(
    ("templates", "part"),
    [
        ({"a": "{b}", "b": "{a}"}, "circle"),
        ({"a": "{a}"}, "circle"),
        ({"pasword": "{hex:8}", "a": "{password}"}, "'pasword'"),
        ({"a": "{hexx:8}"}, "no template"),
        ({"a": "{hex}"}, "no template"),
        ({"a": "{hex:0}"}, "no template"),
        ({"a": "{hex:many}"}, "no template"),
        ({"a": "{}"}, "no template"),
        ({"a": "{hex:8"}, "no template"),
    ],
)
def test_a_template_that_leads_nowhere_is_refused(read, templates, part):
    words = refused(lambda: read(**templates))
    assert part in words
    assert "core.yaml, secret" in words


def test_one_name_for_two_secrets_is_refused_with_both_files(read):
    words = refused(lambda: read(later="{a: {file: /elsewhere/a}}", a="{hex:8}"))
    assert "core.yaml" in words
    assert "later.yaml" in words


def test_a_key_that_nobody_knows_is_refused(read):
    words = refused(lambda: read(later="{b: {file: /b, x-sutazai: {genrate: x}}}"))
    assert "'generate'" in words


def test_only_what_is_named_is_looked_at_and_what_that_is_made_of(read, tmp_path, folder):
    read(url="{password}", password="{hex:8}", token=None)
    platform = read_platform(tmp_path / "platform", {"SECRETS_FOLDER": str(folder)})
    assert list(secrets_of(platform, ["url"])) == ["password", "url"]


def test_a_version_changes_with_the_secret_and_only_with_it(read, folder):
    secrets = read(a="{hex:8}", b="{hex:8}")
    make(secrets, folder)
    before = versions(secrets, folder)
    (folder / "a").unlink()
    (folder / "a").write_text("another")
    after = versions(secrets, folder)
    assert before["a"] != after["a"]
    assert before["b"] == after["b"]


def test_the_same_password_has_another_version_in_another_installation(read, folder):
    folder.mkdir()
    (folder / "a").write_text("1234")
    secrets = read(a=None)
    make(secrets, folder)
    before = versions(secrets, folder)
    (folder / VERSION_KEY).unlink()
    make(secrets, folder)
    assert versions(secrets, folder) != before


def test_looking_at_versions_writes_nothing(read, folder):
    assert versions(read(a="{hex:8}"), folder) == {"a": NOT_YET}
    assert not folder.exists()


def test_no_value_stands_in_an_error_or_a_repr(read, folder):
    folder.mkdir()
    (folder / "a").write_text("hunter2")
    (folder / "b").mkdir()
    secrets = read(a=None, b="{a}")
    generate((), secrets, folder)
    with pytest.raises(OpsError, match="cannot read the secret b") as told:
        versions(secrets, folder)
    assert "hunter2" not in f"{told.value}{told.value!r}{secrets!r}"


def test_a_folder_that_cannot_be_made_is_told(read, folder):
    folder.write_text("a file in the way")
    with pytest.raises(OpsError, match="cannot write the secret"):
        make(read(a="{hex:8}"), folder)
