"""A write that fails is told with the file that was meant, and leaves nothing."""

from __future__ import annotations

import pytest

from sutazai_ops.disk import write_whole
from sutazai_ops.errors import OpsError


def test_a_file_is_written_whole_and_nothing_is_left_beside_it(tmp_path):
    write_whole(tmp_path / "plan.yaml", b"new")
    assert [one.name for one in tmp_path.iterdir()] == ["plan.yaml"]


@pytest.mark.parametrize(
    ("where", "why"), [("absent/plan.yaml", "the folder does not exist"), ("file/plan.yaml", "a part of the path is a")]
)
def test_the_file_that_cannot_be_written_is_the_one_that_was_named(tmp_path, where, why):
    """It was a hidden one with a number at its end, which nobody had written."""
    (tmp_path / "file").touch()
    with pytest.raises(OpsError, match=why) as told:
        write_whole(tmp_path / where, b"new")
    assert told.value.where == str(tmp_path / where)
