# SPDX-License-Identifier: Apache-2.0
import json
import sys
import types

import numpy as np
import pytest

from benchmarks.__main__ import main, refuse_file_of_others
from benchmarks.arguments import BENCHMARKS, LOOP_PRESETS, parse
from benchmarks.loop import loop_benchmark
from benchmarks.loop.loop_benchmark import longest_queue
from benchmarks.loop.offline_starts import first_frame, summary
from benchmarks.offline_loop import OfflineLoop, tracker_parameters
from gremsy_common.errors import SuiteError
from gremsy_common.types.detections import Detections


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
        f"'{notes}' exists, and is not a file of a benchmark's figures: move it away, or name another file.\n",
    )
    assert notes.read_text() == '{"my": "notes"}'


@pytest.fixture
def quick_benchmark(monkeypatch):
    """In the place of the gimbal's, which takes minutes; what it does on the way is up to the test."""
    done = types.SimpleNamespace(on_the_way=lambda: None)

    def run(_options):
        done.on_the_way()
        return {'figure': 1}

    monkeypatch.setitem(sys.modules, 'benchmarks.gimbal.gimbal_benchmark', types.SimpleNamespace(run=run))
    return done


def test_the_folder_of_the_figures_is_made(tmp_path, capsys, quick_benchmark):
    path = tmp_path / 'new' / 'figures.json'
    assert main(['gimbal', '--json', str(path)]) == 0
    assert json.loads(path.read_text()) == json.loads(capsys.readouterr().out)


def test_figures_that_cannot_be_written_are_refused_before_they_are_measured(tmp_path, capsys, quick_benchmark):
    quick_benchmark.on_the_way = lambda: pytest.fail('it was measured')
    (tmp_path / 'file').touch()
    path = tmp_path / 'file' / 'figures.json'
    assert main(['gimbal', '--json', str(path)]) == 1
    assert capsys.readouterr() == (
        '',
        f"'{path}' cannot be written, because '{tmp_path}/file' is no folder that you may write to: "
        'name another file.\n',
    )


def test_figures_are_shown_whatever_came_in_their_way(tmp_path, capsys, quick_benchmark):
    path = tmp_path / 'figures.json'
    quick_benchmark.on_the_way = lambda: path.write_text('of others')
    assert main(['gimbal', '--json', str(path)]) == 1
    shown, said = capsys.readouterr()
    assert json.loads(shown)['figure'] == 1
    assert said == f"'{path}' exists, and is not a file of a benchmark's figures: move it away, or name another file.\n"
    assert path.read_text() == 'of others'


def test_of_all_benchmarks_those_that_ran_are_kept(tmp_path, capsys, monkeypatch, quick_benchmark):
    def refuse():
        raise SuiteError('There is no GPU: plug one in.')

    quick_benchmark.on_the_way = refuse
    quick = types.SimpleNamespace(run=lambda _options: {'figure': 2})
    for name in set(BENCHMARKS) - {'gimbal'}:
        monkeypatch.setitem(sys.modules, f'benchmarks.{name}.{name}_benchmark', quick)
    path = tmp_path / 'figures.json'
    assert main(['all', '--json', str(path)]) == 1
    shown, said = capsys.readouterr()
    assert said == 'gimbal: There is no GPU: plug one in.\n'
    assert {name: figures['figure'] for name, figures in json.loads(shown).items()} == dict.fromkeys(
        set(BENCHMARKS) - {'gimbal'}, 2
    )
    assert json.loads(path.read_text()) == json.loads(shown)


def test_a_folder_of_others_is_refused_before_anything_is_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(loop_benchmark, '_measure', lambda *_: pytest.fail('it was measured'))
    (tmp_path / 'realistic').mkdir()
    (tmp_path / 'realistic' / 'mine.txt').touch()
    with pytest.raises(SuiteError, match='holds files that are no report of the demo'):
        loop_benchmark.run(parse(['loop', '--keep', str(tmp_path)]))
    assert (tmp_path / 'realistic' / 'mine.txt').exists()


def started(rms_deg, wrong=0.0):
    return {
        'first_frame': 0,
        'rms_deg': rms_deg,
        'rms_first_person_deg': rms_deg,
        'wrong_target_fraction': wrong,
        'coasting_share': 0.25,
        'locked_fraction': 0.99,
        'people_followed': 2,
    }


def test_of_the_offline_starts_median_and_worst_are_told_beside_the_reference_boxes():
    runs = [started(0.4), started(0.9, 0.1), started(0.5), started(None)]
    figures = summary('ideal', runs, [0.3, 0.5, None, 0.4])
    assert figures['offline_ideal_rms_deg_median'] == 0.5
    assert figures['offline_ideal_rms_deg_max'] == 0.9
    assert figures['offline_ideal_wrong_target_fraction_max'] == 0.1
    assert figures['offline_ideal_coasting_share_median'] == 0.25
    assert (figures['offline_ideal_oracle_rms_deg_median'], figures['offline_ideal_oracle_rms_deg_max']) == (0.4, 0.5)
    assert figures['offline_ideal_by_start'][1]['oracle_rms_deg'] == 0.5
    assert len(figures['offline_ideal_by_start']) == 4


def test_offline_starts_are_spread_over_the_footage_and_end_with_it():
    assert [first_frame(start, 10) for start in (0, 1, 9)] == [0, 66, 595], '795 pictures at 10 Hz, 200 of them a run'
    assert first_frame(0, 1) == 0


def test_offline_and_preset_make_their_own_runs_alone(monkeypatch):
    asked = []
    monkeypatch.setattr(
        loop_benchmark, 'offline_figures', lambda presets, starts, _say: asked.append((presets, starts))
    )
    monkeypatch.setattr(loop_benchmark, '_live_on', lambda preset, _options: asked.append(preset))
    loop_benchmark.run(parse(['loop', '--offline']))
    loop_benchmark.run(parse(['loop', '--offline', '--starts', '3', '--preset', 'realistic']))
    loop_benchmark.run(parse(['loop', '--preset', 'moving']))
    assert asked == [(LOOP_PRESETS, 10), (('realistic',), 3), 'moving']


def test_no_start_is_refused(capsys):
    with pytest.raises(SystemExit):
        parse(['loop', '--offline', '--starts', '0'])
    assert '--starts is 0: use 1 .. 100.' in capsys.readouterr().err


def test_the_loop_offline_begins_at_the_frame_asked_for():
    loop = OfflineLoop(
        lambda shot: Detections(shot.stamp_ns, 'optical', np.zeros((0, 4)), np.zeros(0), np.zeros(0, dtype=np.str_)),
        tracker_parameters('ideal', {}),
        footage_frames=795,
        first_frame=793,
    )
    shown = [event['footage_frame'] for event in loop.run(0.35) if event['kind'] == 'frame']
    assert list(dict.fromkeys(shown)) == [793, 794, 0, 1]
