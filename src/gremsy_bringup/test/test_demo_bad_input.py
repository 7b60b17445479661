# SPDX-License-Identifier: Apache-2.0
"""What cannot run ends in one sentence, a non-zero status, and nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gremsy_bringup.demo.demo_options import DemoError, DemoOptions, asked_target, video_path
from gremsy_bringup.report.report_folder import ReportFolder
from gremsy_bringup.supervise.supervisor import EventKind, ProcessEvent

pytest.importorskip('rclpy', reason='ROS 2 is not set up: run ./gremsy setup')

PATIENCE_S = 60


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, '-m', 'gremsy_bringup.demo.demo_command', *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


@pytest.fixture
def footage(tmp_path: Path) -> Path:
    import cv2
    import numpy as np

    path = tmp_path / 'still.png'
    cv2.imwrite(str(path), np.full((576, 768, 3), 90, np.uint8))
    return path


@pytest.mark.parametrize(
    ('name', 'kind', 'arms', 'ends'),
    [
        ('gimbal', EventKind.RESPAWNING, True, False),
        ('loop', EventKind.RESPAWNING, True, False),
        ('loop', EventKind.REFUSED, False, True),
        ('video', EventKind.RESPAWNING, False, False),
        ('web', EventKind.REFUSED, False, False),
        ('gimbal', EventKind.STARTED, False, False),
    ],
)
def test_a_gimbal_is_not_armed_again_because_the_video_server_broke(tmp_path, name, kind, arms, ends):
    from gremsy_bringup.demo.demo_session import DemoSession

    said = []
    session = DemoSession(DemoOptions(report=tmp_path / 'report'), said.append)
    session._on_event(ProcessEvent(name, kind, f'{name} broke'))
    assert (session._arm_again.is_set(), bool(session._refused)) == (arms, ends)
    assert said == ([] if ends or kind is EventKind.STARTED else [f'{name} broke'])


def test_a_missing_video_is_named(tmp_path: Path) -> None:
    ended = demo('--video', str(tmp_path / 'no.avi'), '--report', str(tmp_path / 'report'))
    assert ended.stderr == f'There is no video file {tmp_path}/no.avi: check the path given to `--video`.\n'
    assert ended.returncode == 2


def test_the_home_of_a_user_who_is_not_known_is_named() -> None:
    why = 'begins with the home folder of an unknown user: write the whole path'
    ended = demo('--video', '~nosuchuser/a.avi')
    assert (ended.returncode, ended.stderr) == (2, f"`--video` '~nosuchuser/a.avi' {why}.\n")
    ended = demo('--report', '~nosuchuser/report')
    assert ended.returncode == 2
    assert ended.stderr.endswith(f"gremsy demo: error: argument --report: '~nosuchuser/report' {why}\n")


def test_a_file_that_is_no_video_is_named(tmp_path: Path) -> None:
    path = tmp_path / 'notes.avi'
    path.write_text('no video at all')
    ended = demo('--video', str(path), '--report', str(tmp_path / 'report'))
    assert ended.stderr == (
        f'The file {path} has no video that can be decoded: check that it is complete and that `ffmpeg` plays it, '
        'or use another.\n'
    )
    assert ended.returncode == 2


def test_an_unknown_class_is_named_with_its_neighbours(tmp_path: Path, footage: Path) -> None:
    pytest.importorskip('onnxruntime')
    ended = demo('--class', 'persn', '--video', str(footage), '--report', str(tmp_path / 'report'))
    assert ended.stderr == (
        "nanodet_g_416.onnx has no class 'persn': did you mean 'person'? "
        '`./gremsy exec ros2 run gremsy_model_tools model_info` lists its 80 classes.\n'
    )
    assert ended.returncode == 2


@pytest.mark.parametrize(
    ('word', 'target_class', 'asked', 'said'),
    [
        (None, None, 'nearest:person', 'the person nearest to the centre'),
        (None, 'dog', 'nearest:dog', 'the dog nearest to the centre'),
        ('largest', None, 'largest:person', 'the largest person'),
        ('largest', 'dog', 'largest:dog', 'the largest dog'),
        ('class:dog', None, 'nearest:dog', 'the dog nearest to the centre'),
        ('largest:car', 'car', 'largest:car', 'the largest car'),
        ('7', None, '7', 'track 7'),
    ],
)
def test_what_is_asked_for_is_one_target(word: str | None, target_class: str | None, asked: str, said: str) -> None:
    target = asked_target(word, target_class)
    assert (target.word, str(target)) == (asked, said)


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        (
            ('--target', 'person'),
            "`--target`: 'person' names no target: give a track's id as `tracks` carries it ('7'), a class "
            "('class:person'), 'nearest' or 'largest', or both ('largest:car').",
        ),
        (('--target', '7', '--class', 'dog'), '`--target 7` is one track, whatever its class: leave `--class` out.'),
        (
            ('--target', 'largest:car', '--class', 'dog'),
            '`--target largest:car` and `--class dog` name two classes: leave one of them out.',
        ),
    ],
)
def test_a_target_that_is_none_is_said_in_one_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    ended = demo(*arguments)
    assert (ended.returncode, ended.stderr) == (2, f'{sentence}\n')


def test_an_unknown_scheme_is_named() -> None:
    with pytest.raises(DemoError) as caught:
        video_path('rtsp://10.1.2.3/eo')
    assert str(caught.value) == (
        "`--video` is 'rtsp://10.1.2.3/eo', which the demo cannot play as a scene: give a video file or file:///PATH."
    )


def test_a_path_that_a_source_cannot_carry_is_refused() -> None:
    with pytest.raises(DemoError) as caught:
        video_path('/videos/what?.avi')
    assert str(caught.value) == (
        "`--video` is '/videos/what?.avi': rename the file, a `?` in its path begins the options of a source."
    )


@pytest.mark.parametrize('text', ['/videos/a.avi', 'file:///videos/a.avi'])
def test_a_path_and_a_file_uri_mean_the_same_file(text: str) -> None:
    assert video_path(text) == Path('/videos/a.avi')


def test_a_report_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / 'file').touch()
    with pytest.raises(DemoError) as caught:
        ReportFolder(tmp_path / 'file' / 'report').open()
    assert str(caught.value) == (
        f'The report folder {tmp_path}/file/report cannot be made (Not a directory): name another with `--report`.'
    )


def test_two_runs_do_not_write_into_one_folder(tmp_path: Path) -> None:
    first, second = ReportFolder(tmp_path), ReportFolder(tmp_path)
    first.open()
    with pytest.raises(DemoError) as caught:
        second.open()
    assert str(caught.value) == (
        f'Another demo writes its report to {tmp_path}: wait for it, or name another folder with `--report`.'
    )
    first.close()
    second.open()
    second.close()


# Names that a run gives its own files, and names that a person may have given.
OF_A_RUN = (
    'demo.mp4',
    'demo-2.mp4',
    'summary.json',
    'pointing.png',
    'processes.log',
    'parameters.yaml',
    'trace/robot.eo.tracker-4711.jsonl',
    'log/python3_4711_1790000000000.log',
)
OF_THE_USER = ('demo-holiday.mp4', 'notes.txt', 'trace/best.jsonl', 'log/notes.txt', 'films/demo.mp4')


def fill(folder: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f'mine: {name}')


def names_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob('*') if not path.is_dir()}


def refusal_of(folder: Path) -> str:
    with pytest.raises(DemoError) as caught:
        ReportFolder(folder).open()
    return str(caught.value)


def test_a_report_folder_used_again_loses_what_a_run_made_and_nothing_else(tmp_path: Path) -> None:
    folder = ReportFolder(tmp_path)
    folder.open()
    fill(tmp_path, OF_A_RUN + OF_THE_USER)
    folder.close()
    again = ReportFolder(tmp_path)
    again.open()
    again.clear()
    again.close()
    assert names_in(tmp_path) == {'.gremsy_report', *OF_THE_USER}


def test_a_folder_with_files_of_the_user_is_refused_and_stays_as_it_is(tmp_path: Path, footage: Path) -> None:
    folder = tmp_path / 'films'
    fill(folder, OF_A_RUN + OF_THE_USER)
    sentence = (
        f'The folder {folder} holds files that are no report of the demo, and they would be mixed with it: '
        'name a new or an empty folder with `--report`.'
    )
    assert refusal_of(folder) == sentence
    ended = demo('--video', str(footage), '--report', str(folder))
    assert (ended.returncode, ended.stderr) == (2, sentence + '\n')
    assert names_in(folder) == {*OF_A_RUN, *OF_THE_USER}
    assert all((folder / name).read_text() == f'mine: {name}' for name in OF_A_RUN + OF_THE_USER)


def test_a_mark_that_is_not_ours_marks_nothing(tmp_path: Path) -> None:
    (tmp_path / '.gremsy_report').touch()
    assert refusal_of(tmp_path).startswith(f'The folder {tmp_path} holds files that are no report of the demo')


def test_the_working_folder_is_judged_like_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, ('notes.txt',))
    monkeypatch.chdir(tmp_path)
    assert refusal_of(Path()).startswith(f'The folder {tmp_path} holds files that are no report of the demo')


@pytest.mark.parametrize('place', ['/', '~'])
def test_the_root_and_the_home_folder_are_refused_even_when_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setenv('HOME', str(tmp_path))
    path = Path(place).expanduser()
    assert (
        refusal_of(path) == f'The report folder {path} cannot hold a report: give `--report` a new or an empty folder.'
    )
    assert names_in(tmp_path) == set()


def test_a_linked_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'films').mkdir()
    (tmp_path / 'report').symlink_to('films')
    assert refusal_of(tmp_path / 'report') == (
        f'The report folder {tmp_path}/report is a symbolic link to films: name the folder itself with `--report`.'
    )
    assert names_in(tmp_path / 'films') == set()


@pytest.mark.parametrize('name', ['summary.json', 'trace'])
def test_a_link_under_one_of_our_names_is_refused(tmp_path: Path, name: str) -> None:
    report, target = tmp_path / 'report', tmp_path / 'target'
    made = ReportFolder(report)
    made.open()
    made.close()
    if name == 'trace':
        fill(target, ('robot.eo.tracker-4711.jsonl',))
    else:
        target.write_text('mine')
    (report / name).symlink_to(target)
    kind = 'folder' if name == 'trace' else 'file'
    assert refusal_of(report) == (
        f'In the report folder, {report}/{name} is not a {kind} of the demo: '
        'move it away, or name another folder with `--report`.'
    )


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Not by its mode: root, as whom a container runs this, may write everywhere but to a read-only disk.
    monkeypatch.setattr(os, 'access', lambda *_: False)
    assert refusal_of(tmp_path) == (f'The report folder {tmp_path} cannot be written to: name another with `--report`.')


def test_a_duration_that_is_none_is_refused() -> None:
    ended = demo('--duration', 'long')
    assert ended.stderr.splitlines()[-1] == (
        "./gremsy demo: error: argument --duration: must be 0 (no limit) or a positive number of seconds, not 'long'"
    )
    assert ended.returncode == 2


def test_run_names_a_wrong_argument() -> None:
    ended = subprocess.run(
        [sys.executable, '-m', 'gremsy_bringup.run', 'sim:=perhaps'],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (2, "Argument `sim` is 'perhaps': use true or false.\n")
