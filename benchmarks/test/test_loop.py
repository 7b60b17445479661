# SPDX-License-Identifier: Apache-2.0
import json
import sys
import types

import pytest

from benchmarks.__main__ import main, refuse_file_of_others
from benchmarks.arguments import BENCHMARKS, parse
from benchmarks.loop import loop_benchmark
from benchmarks.loop.loop_benchmark import longest_queue
from gremsy_common.errors import SuiteError


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
    assert (
        said
        == f"'{path}' is in the way, and is no file of a benchmark's figures: move it away, or name another file.\n"
    )
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
