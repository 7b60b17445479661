# SPDX-License-Identifier: Apache-2.0
"""Bags that were cut anywhere are whole again up to there."""

from __future__ import annotations

import random

import pytest

pytest.importorskip('mcap', reason='mcap is not installed: run ./gremsy test')
from mcap.reader import make_reader

from gremsy_camera.recording.bag_file import BagChannel, BagFiles, Serialized
from gremsy_camera.recording.recordings_folder import RecordingsFolder
from gremsy_camera.recording.recover_bag import FAILED, MISUSED, WORKS, main

CHANNELS = [
    BagChannel(topic, 'std_msgs/msg/String', 'string data', '[]', lambda item: Serialized(item, None))
    for topic in ('/one', '/two')
]


@pytest.fixture
def torn(tmp_path):
    """A bag that was never closed, of ten chunks with twenty messages each."""
    folder = RecordingsFolder(tmp_path)
    folder.prepare()
    bags = BagFiles(folder, 'a', 0.0)
    for k in range(200):
        bags.add(CHANNELS[k % 2], Serialized(b'%d' % k, 7 + k), 1000 + k, 0)
        if k % 20 == 19:
            bags.flush()
    copy = tmp_path / 'torn.mcap'
    copy.write_bytes((tmp_path / 'a_001.mcap').read_bytes())
    bags.close()
    return copy


def read(path):
    with path.open('rb') as file:
        reader = make_reader(file, validate_crcs=True)
        assert reader.get_summary() is not None
        return [(s.name, c.topic, m.data, m.log_time, m.publish_time) for s, c, m in reader.iter_messages()]


def expected(count: int):
    return [
        ('std_msgs/msg/String', CHANNELS[k % 2].topic, b'%d' % k, 1000 + k, 7 + k) for k in range(count)
    ]  # fmt: skip


def test_a_bag_that_was_never_closed_has_an_index_again(torn, capsys):
    before = torn.read_bytes()
    assert main([str(torn)]) == WORKS
    whole = torn.with_name('torn.recovered.mcap')
    assert read(whole) == expected(200)
    assert torn.read_bytes() == before
    assert capsys.readouterr().out == f"200 messages are in '{whole}', up to where the file was cut.\n"


def test_cut_anywhere_all_chunks_before_are_kept(torn, tmp_path):
    content = torn.read_bytes()
    generator = random.Random(5)
    for number in range(15):
        cut = tmp_path / f'{number}.mcap'
        cut.write_bytes(content[: generator.randrange(2000, len(content))])
        assert main([str(cut), str(tmp_path / f'{number}_whole.mcap')]) == WORKS
        found = read(tmp_path / f'{number}_whole.mcap')
        assert len(found) % 20 == 0 and found == expected(len(found))


def test_a_damaged_chunk_ends_it(torn, tmp_path):
    content = bytearray(torn.read_bytes())
    at = -1
    for _ in range(5):
        at = content.index(b'\x28\xb5\x2f\xfd', at + 1)  # where Zstandard's frames begin (RFC 8878, 3.1.1)
    content[at + 12 : at + 20] = bytes(8)
    torn.write_bytes(content)
    assert main([str(torn)]) == WORKS
    assert read(torn.with_name('torn.recovered.mcap')) == expected(80)


def test_a_whole_bag_is_copied(tmp_path, torn, capsys):
    assert main([str(tmp_path / 'a_001.mcap'), str(tmp_path / 'copy.mcap')]) == WORKS
    assert capsys.readouterr().out == f"200 messages are in '{tmp_path / 'copy.mcap'}', all that there are.\n"
    assert read(tmp_path / 'copy.mcap') == expected(200)


@pytest.mark.parametrize('content', [b'', b'no bag at all', b'\x89MCAP0\r\n'])
def test_what_has_no_message_leaves_no_file(tmp_path, capsys, content):
    (tmp_path / 'it.mcap').write_bytes(content)
    assert main([str(tmp_path / 'it.mcap')]) == FAILED
    assert capsys.readouterr().err.startswith(f"No message can be read from '{tmp_path / 'it.mcap'}' (")
    assert [path.name for path in tmp_path.iterdir()] == ['it.mcap']


def test_nothing_is_written_over(torn, tmp_path, capsys):
    (tmp_path / 'mine.mcap').write_text('mine')
    assert main([str(torn), str(tmp_path / 'mine.mcap')]) == MISUSED
    assert capsys.readouterr().err == f"'{tmp_path / 'mine.mcap'}' is there already: name another file for the bag.\n"
    assert (tmp_path / 'mine.mcap').read_text() == 'mine'
    assert main([str(torn), str(torn)]) == MISUSED


def test_a_file_that_is_not_there_is_named(tmp_path, capsys):
    assert main([str(tmp_path / 'none.mcap')]) == MISUSED
    assert capsys.readouterr().err == (
        f"'{tmp_path / 'none.mcap'}' cannot be used (No such file or directory): check its name.\n"
    )
