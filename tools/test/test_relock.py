# SPDX-License-Identifier: Apache-2.0
import pytest

from gremsy_tool.errors import GremsyError
from gremsy_tool.relock import HEADER, replace_lock


def test_a_lock_replaces_a_lock_and_nothing_else(tmp_path):
    lock = tmp_path / 'runtime.txt'
    for text in ('a==1\n', 'a==2\n'):
        replace_lock(lock, HEADER + text)
        assert lock.read_text() == HEADER + text
    lock.write_text('a==1  # pinned by hand\n')
    with pytest.raises(GremsyError) as refused:
        replace_lock(lock, HEADER)
    assert str(refused.value) == f'{lock} was not written by ./gremsy setup --relock: move it away, then lock again.'
    assert lock.read_text() == 'a==1  # pinned by hand\n'
