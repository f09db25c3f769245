"""One platform for every test of this folder, which is taken away after the last of them.

Where tests run side by side, those of `services` and those of `around` have one each.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import docker
import pytest
from build import ImageRegistry
from dagster_home import Dagster
from sinks import mailbox, webhook

from sutazai_ops.engines.daemons import free_port

from .beside import small_disk
from .platform import Watched


@pytest.fixture(scope="package")
def watched(
    tmp_path_factory: pytest.TempPathFactory, registry: ImageRegistry, engine_client: docker.DockerClient
) -> Iterator[Watched]:
    """Rolled out, and told to whom alerts go."""
    with ExitStack() as stack:
        # Before node exporter starts: on a host whose mounts are private it sees none that comes later.
        disk = stack.enter_context(small_disk())
        one = Watched(tmp_path_factory.mktemp("watched"), registry, engine_client)
        stack.callback(one.remove)
        one.disk, one.dagster = disk, Dagster(one.home / "dagster")
        host = one.host()
        one.tell(stack.enter_context(webhook(host)), stack.enter_context(mailbox(host, free_port())))
        done = one.ops("deploy", "--yes", "--services", ",".join(one.deployed))
        assert done.returncode == 0, done.stdout + done.stderr
        yield one
