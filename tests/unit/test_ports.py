"""Published ports in both forms that Compose knows."""

from __future__ import annotations

import pytest

from sutazai_ops.deployment.ports import published


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("80:8080", {"0.0.0.0:80->8080/tcp"}),
        ("127.0.0.1:80:8080", {"127.0.0.1:80->8080/tcp"}),
        ("[::1]:80:8080/udp", {"::1:80->8080/udp"}),
        ("3000-3001:4000-4001", {"0.0.0.0:3000->4000/tcp", "0.0.0.0:3001->4001/tcp"}),
        ({"target": 80, "published": "8080", "host_ip": "127.0.0.1"}, {"127.0.0.1:8080->80/tcp"}),
        ({"target": 53, "published": 53, "protocol": "udp"}, {"0.0.0.0:53->53/udp"}),
    ],
)
def test_each_form_says_where_the_port_is(entry, expected):
    assert {str(port) for port in published({"ports": [entry]})} == expected


@pytest.mark.parametrize("entry", ["8080", 8080, {"target": 8080}, "127.0.0.1::8080"])
def test_a_port_for_which_any_number_will_do_is_left_out(entry):
    assert published({"ports": [entry]}) == frozenset()


def test_what_is_no_port_is_refused():
    with pytest.raises(ValueError, match="is no port"):
        published({"ports": ["eighty:80"]})
