"""Makes an image of `stand-in` into the one of a profile: users' folders, paths of programs, commands taken away."""

from __future__ import annotations

import os
import shutil
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
PROGRAM = HERE / "stand_in.py"


def install(name: str) -> None:
    profile = tomllib.loads((HERE / "profiles.toml").read_text())[name]
    user, group = map(int, profile["user"].split(":"))
    for folder in profile.get("data", ()):
        Path(folder).mkdir(parents=True, exist_ok=True)
        os.chown(folder, user, group)
    for shim in profile.get("shims", ()):
        Path("/usr/local/bin", shim).symlink_to(PROGRAM)
    for program in map(Path, profile["programs"]):
        program.parent.mkdir(parents=True, exist_ok=True)
        if program.suffix == ".sh":
            program.write_text(f'#!/bin/sh\nexec {PROGRAM} "$@"\n')
            program.chmod(0o755)
        else:
            program.symlink_to(PROGRAM)
    for command in profile.get("lacks", ()):
        while found := shutil.which(command):
            Path(found).unlink()


if __name__ == "__main__":
    install(sys.argv[1])
