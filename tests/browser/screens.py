"""The screens that pages are looked at on."""

from __future__ import annotations

import pytest

DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
SCREENS = [
    pytest.param(screen, scheme, id=f"{name}-{scheme}")
    for name, screen in (("desk", DESK), ("phone", PHONE))
    for scheme in ("light", "dark")
]
