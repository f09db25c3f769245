"""A folder of generated files, brought to what it should be, or compared with it.

Each file is written whole, and what is not made any more is removed, so that what lies there is never of two minds. A
file that has not changed is not touched.
"""

from __future__ import annotations

from pathlib import Path

from sutazai_ops.disk import write_whole, writing

Files = dict[str, str]
"""What each file holds, by its path from the folder on."""
FOLDERS = ("prometheus", "rule-tests", "alertmanager", "dashboards", "exporter")
"""What may lie in the generated folder: nothing in these stays that is not made any more."""


def bring(folder: Path, made: Files) -> list[str]:
    """Make a folder hold what was made and nothing else of it; return the files that were written or removed.

    Raises:
        OpsError: when something cannot be written.
    """
    changed = differences(folder, made)
    for name in changed:
        file = folder / name
        with writing(file):
            if name not in made:
                file.unlink(missing_ok=True)
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, made[name].encode())
            # It holds no secret, and a container reads what everybody may read.
            file.chmod(0o644)
    return changed


def differences(folder: Path, made: Files) -> list[str]:
    """The files that are not as they were made, and those that are there and are not made any more."""
    return sorted([name for name, text in made.items() if _read(folder / name) != text.encode()] + _left(folder, made))


def _left(folder: Path, made: Files) -> list[str]:
    """Files of a part that are not made any more: a rule file that nobody names is loaded all the same."""
    there = (path for part in FOLDERS for path in (folder / part).rglob("*") if path.is_file())
    names = (path.relative_to(folder).as_posix() for path in there)
    return [name for name in names if name not in made and not Path(name).name.startswith(".")]


def _read(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None
