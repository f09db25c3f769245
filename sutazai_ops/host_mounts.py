"""Whether a container can see what is mounted on this host after its start."""

from __future__ import annotations

from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")


def shares_its_mounts(mounts: Path = MOUNTS) -> bool:
    """Whether this host's root is a shared mount, as systemd makes it, or a slave of one.

    By the optional fields of its line (proc_pid_mountinfo(5)); False where there is no such file.
    """
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    roots = [fields for line in lines if (fields := line.partition(" - ")[0].split())[4:5] == ["/"]]
    # What was mounted last lies on top.
    return bool(roots) and any(field.startswith(("shared:", "master:")) for field in roots[-1][6:])
