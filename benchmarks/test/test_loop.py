# SPDX-License-Identifier: Apache-2.0
import json

from benchmarks.__main__ import main, refuse_file_of_others
from benchmarks.loop import longest_queue


def detection(arrived_ns, taken_ns):
    return {'kind': 'detection', 'arrived_ns': arrived_ns, 'taken_ns': taken_ns}


def test_frames_that_wait_one_after_the_other_are_no_queue():
    assert longest_queue([detection(0, 10), detection(10, 20), {'kind': 'frame'}]) == 1


def test_frames_that_wait_at_the_same_time_are_a_queue():
    assert longest_queue([detection(0, 30), detection(10, 40)]) == 2


def test_nothing_seen_is_no_queue():
    assert longest_queue([]) == 0


def test_figures_replace_figures_and_nothing_else(tmp_path, capsys):
    notes, figures, all_figures = (tmp_path / name for name in ('notes.json', 'one.json', 'all.json'))
    notes.write_text('{"my": "notes"}')
    figures.write_text(json.dumps({'benchmark': 'gimbal', 'machine': {}}))
    all_figures.write_text(json.dumps({'gimbal': {'benchmark': 'gimbal', 'machine': {}}}))
    refuse_file_of_others(figures)
    refuse_file_of_others(all_figures)
    assert main(['gimbal', '--json', str(notes)]) == 1
    assert capsys.readouterr() == (
        '',
        f"'{notes}' is in the way, and is no file of a benchmark's figures: move it away, or name another file.\n",
    )
    assert notes.read_text() == '{"my": "notes"}'
