"""What of a host's file systems a container can see."""

from __future__ import annotations

import pytest

from sutazai_ops.host_mounts import shares_its_mounts
from sutazai_ops.platform import read_platform
from sutazai_ops.settings import PACKAGED_PLATFORM

SHARED = "27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
PRIVATE = "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
BESIDE = "30 27 0:25 / /run rw shared:9 - tmpfs tmpfs rw\n"


@pytest.mark.parametrize(
    ("text", "shared"),
    [
        (SHARED + BESIDE, True),
        (PRIVATE + BESIDE, False),
        (SHARED.replace("shared:1", "master:4"), True),
        (SHARED + PRIVATE, False),
        ("", False),
    ],
)
def test_whether_later_mounts_are_seen_is_what_the_line_of_the_root_says(tmp_path, text, shared):
    (tmp_path / "mountinfo").write_text(text)
    assert shares_its_mounts(tmp_path / "mountinfo") is shared
    assert shares_its_mounts(tmp_path / "none") is False


@pytest.mark.parametrize("mode", ["ro", "ro,rslave"])
def test_node_exporter_sees_a_disk_that_is_mounted_after_its_start_where_the_host_shares_its_mounts(mode):
    """A disk that was mounted later was not measured, so it could fill up unseen until the container was made anew."""
    mounted = read_platform(PACKAGED_PLATFORM, {"HOST_MOUNT": mode}).services["node-exporter"].compose["volumes"]
    assert mounted == [f"/:/host:{mode}"]
