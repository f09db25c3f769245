"""The real `docker compose config`, which needs no engine: what our reading of a file is held against."""

from __future__ import annotations

import json
import subprocess

import pytest


def has_compose() -> bool:
    try:
        return subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


needs_compose = pytest.mark.skipif(not has_compose(), reason="needs the docker compose command (no engine)")


def config(*files) -> dict:
    """What Compose makes of these files, merged."""
    named = [argument for file in files for argument in ("-f", str(file))]
    done = subprocess.run(
        ["docker", "compose", *named, "config", "--format", "json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def escaped(value):
    """A value in which Compose finds no variable."""
    if isinstance(value, dict):
        return {key: escaped(below) for key, below in value.items()}
    if isinstance(value, list):
        return [escaped(entry) for entry in value]
    return value.replace("$", "$$") if isinstance(value, str) else value
