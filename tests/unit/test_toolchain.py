"""Which programs are taken for a server's own, and which never are."""

import pytest

from sutazai_ops.engines import toolchain
from sutazai_ops.engines.base import Tools
from sutazai_ops.errors import ToolMissing


def program(path, says: str):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def on_path(tmp_path, monkeypatch):
    """A machine that has what is put on this PATH, and no wheel and no packages."""
    folder = tmp_path / "bin"
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(toolchain, "POSTGRES_FOLDERS", (str(tmp_path / "postgresql" / "{major}" / "bin"),))
    monkeypatch.setattr(toolchain, "REDIS_FOLDERS", ())
    monkeypatch.setattr(toolchain, "wheel_major", lambda product: None)
    return folder


def test_a_newer_pg_dump_is_never_taken(on_path, tmp_path):
    program(on_path / "pg_dump", "pg_dump (PostgreSQL) 17.2")
    with pytest.raises(ToolMissing) as missing:
        toolchain.find("postgres", 15, home=tmp_path)
    assert "postgres 15" in missing.value.what


def test_the_pg_dump_on_the_path_is_taken_when_its_major_is_the_servers(on_path, tmp_path):
    program(on_path / "pg_dump", "pg_dump (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)")
    assert toolchain.find("postgres", 15, home=tmp_path).folder == on_path


def test_debians_wrapper_proves_no_major(on_path, tmp_path):
    wrapper = program(tmp_path / "share" / "pg_wrapper", "pg_dump (PostgreSQL) 15.14")
    on_path.mkdir()
    (on_path / "pg_dump").symlink_to(wrapper)
    with pytest.raises(ToolMissing):
        toolchain.find("postgres", 15, home=tmp_path)


def test_a_client_without_a_server_is_no_scratch_server(on_path, tmp_path):
    program(tmp_path / "postgresql" / "15" / "bin" / "pg_dump", "pg_dump (PostgreSQL) 15.14")
    assert toolchain.find("postgres", 15, home=tmp_path).major == 15
    with pytest.raises(ToolMissing, match="postgres of postgres 15"):
        toolchain.find("postgres", 15, home=tmp_path, program="postgres")


@pytest.mark.parametrize(("wanted", "package"), [("pg_dump", "postgresql-client-15"), ("initdb", "postgresql-15")])
def test_debian_is_told_which_package_to_install(on_path, tmp_path, wanted, package):
    program(on_path / "apt-get", "")
    with pytest.raises(ToolMissing) as missing:
        toolchain.find("postgres", 15, home=tmp_path, program=wanted)
    assert missing.value.remedy.startswith(f"apt install {package} ")


def test_a_valkey_under_the_name_of_redis_is_not_taken_for_redis(on_path, tmp_path):
    program(on_path / "redis-server", "Valkey server v=8.1.1 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1f")
    with pytest.raises(ToolMissing):
        toolchain.find("redis", 8, home=tmp_path)


def test_the_hash_in_redis_own_words_is_no_version(on_path, tmp_path):
    program(on_path / "redis-server", "Redis server v=7.0.15 sha=99999999:0 malloc=jemalloc-5.2.1 bits=64 build=2a")
    assert toolchain.find("redis", 7, home=tmp_path).major == 7


@pytest.mark.parametrize("product", ["redis", "valkey"])
def test_a_generic_name_finds_the_products_own_tool(tmp_path, product):
    checker = program(tmp_path / f"{product}-check-rdb", "")
    assert toolchain.binary(Tools(product, 7, tmp_path, "here"), "check-rdb") == checker
