"""A service in a container as a server to speak to.

Its own client tools run beside it, inside the container, so they are of its very version; their output is streamed
through `docker exec`. The password reaches a tool in a file in the container's memory that is gone when the tool is:
it passes over standard input, and stands in no argument and no environment variable.
"""

from __future__ import annotations

import secrets
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from sutazai_ops.engines import postgres, redis, toolchain
from sutazai_ops.engines.base import Account, Tools
from sutazai_ops.engines.compose import commands
from sutazai_ops.engines.processes import LocalCommand
from sutazai_ops.errors import BadInput, CommandFailed, ToolMissing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from sutazai_ops.engines.base import Command, Endpoint
    from sutazai_ops.platform import Product, Service
    from sutazai_ops.settings import Settings

INSIDE = Path("/")
KEEP = 'umask 077; cat > "$0"'
RUN = 'echo $$ > "$0"; exec "$@"'
END = 'kill "$(cat "$0")" 2>/dev/null; rm -f "$0" "$1"'
"""Lines for sh(1), whose `$0` is the first argument after them: every one is a path or a word of the command."""


@dataclass(frozen=True, slots=True)
class ContainerServer:
    """A `Server` whose client tools run inside its container."""

    name: str
    endpoint: Endpoint
    account: Account
    container: str
    home: Path

    def tools(self) -> Tools:
        """The tools of this very server: of this machine where it has them, else those in the container."""
        product, major = self._asked()
        try:
            return toolchain.find(product, major, home=self.home)
        except ToolMissing:
            return Tools(product, major, INSIDE, f"inside the container of {self.name}")

    def run(self, argv: Sequence[str], *, stdin: bool = False) -> AbstractContextManager[Command]:
        """Run one of the server's own client tools inside its container; see `Server.run`."""
        return self._run(argv, stdin=stdin)

    @contextmanager
    def _run(self, argv: Sequence[str], *, stdin: bool) -> Iterator[Command]:
        mark = secrets.token_hex(8)
        # /tmp is the one folder that every image may write to, and memory where the release says tmpfs.
        password, process_id = f"/tmp/.sutazai-pgpass-{mark}", f"/tmp/.sutazai-pid-{mark}"  # noqa: S108
        self._give_password(password)
        wanted = {"PGPASSFILE": password, "PGHOST": "127.0.0.1", "PGUSER": self.account.user, "LC_ALL": "C.UTF-8"}
        flags = [word for name, value in wanted.items() if value for word in ("--env", f"{name}={value}")]
        process = subprocess.Popen(
            ["docker", "exec", *(["--interactive"] if stdin else []), *flags, self.container, "sh", "-c",
             RUN, process_id, *argv],
            env=commands.environment(),
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
        command = LocalCommand(process, f"{argv[0]} on {self.name}")
        try:
            yield command
        finally:
            command.end()
            # Ending `docker exec` does not end what it has started in the container.
            self._shell(END, process_id, password)

    def _give_password(self, path: str) -> None:
        secret = self.account.password.get_secret_value() if self.account.password else ""
        escaped = secret.replace("\\", "\\\\").replace(":", "\\:")
        self._shell(KEEP, path, given=f"*:*:*:*:{escaped}\n")

    def _shell(self, script: str, *arguments: str, given: str = "") -> None:
        done = subprocess.run(
            ["docker", "exec", "--interactive", self.container, "sh", "-c", script, *arguments],
            env=commands.environment(), input=given, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0 and given:
            raise CommandFailed(
                f"cannot prepare a command inside {self.name}: {done.stderr.strip() or 'its shell ended'}",
                remedy="its image needs sh, and a /tmp that can be written",
            )

    def _asked(self) -> tuple[Product, int]:
        if self.account.user or self.endpoint.port == 5432:  # noqa: PLR2004
            return "postgres", postgres.ask(self).major
        facts = redis.ask(self)
        return facts.product, facts.major


def container_server(
    service: Service, container: dict[str, Any], endpoint: Endpoint, settings: Settings
) -> ContainerServer:
    """The server that runs in that container, with the account that its definition names.

    Raises:
        BadInput: when the file with its password cannot be read.
    """
    return ContainerServer(
        name=service.name,
        endpoint=endpoint,
        account=_account(service, container, settings),
        container=container["Id"],
        home=settings.home,
    )


def _account(service: Service, container: dict[str, Any], settings: Settings) -> Account:
    environment = dict(entry.partition("=")[::2] for entry in container["Config"].get("Env") or ())
    is_postgres = service.backup is not None and service.backup.kind == "postgres"
    user = environment.get("POSTGRES_USER", "postgres") if is_postgres else None
    if service.login:
        user = service.login.user or user
    mounted = {mount["Destination"]: mount.get("Source", "") for mount in container.get("Mounts") or ()}
    if service.login and service.login.secret:
        return Account(user, _read(service, mounted.get(f"/run/secrets/{service.login.secret}", ""), settings))
    if file := environment.get("POSTGRES_PASSWORD_FILE"):
        return Account(user, _read(service, mounted.get(file, ""), settings))
    plain = environment.get("POSTGRES_PASSWORD") if is_postgres else None
    return Account(user, SecretStr(plain) if plain else None)


def _read(service: Service, file: str, settings: Settings) -> SecretStr:
    try:
        return SecretStr(Path(file).read_text(encoding="utf-8").rstrip("\r\n"))
    except OSError as error:
        raise BadInput(
            f"the password of {service.name} cannot be read: {(error.strerror or str(error)).lower()}",
            where=file or str(settings.secrets),
            remedy="see x-sutazai.login of the service, and the secrets of its file",
        ) from None
