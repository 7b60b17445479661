# SPDX-License-Identifier: Apache-2.0
"""`./gremsy init`: what is asked, tried and written, and that nothing of the user's is written over."""

import pytest
import yaml

pytest.importorskip('gremsy_camera', reason='the workspace is not built: run ./gremsy setup')

from gremsy_bringup.describe.parameter_layers import given as given_in
from gremsy_bringup.init import init_command
from gremsy_bringup.init.init_arguments import parser
from gremsy_bringup.init.init_command import InitError, Interview, NotWanted, Trials, next_steps, write
from gremsy_bringup.init.robot_file import RobotFile, field_of
from gremsy_bringup.init.trials import Trial
from gremsy_camera.check.camera_finding import FoundCameras
from gremsy_gimbal_driver.links.link import LinkError


class Person:
    """Answers in turn; what they were asked and told is kept."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []
        self.told = []

    def ask(self, question):
        self.asked.append(question)
        return self.answers.pop(0)


def trials(broken=(), proposed=None):
    def tried(text, _parameters=None):
        if text in broken:
            return Trial(False, 'nobody answers')
        return Trial(True, 'seen', proposed or {})

    return Trials(tried, tried, tried)


def interview(person, *words, interactive=True, **how):
    given = parser().parse_args(words)
    return Interview(given, person.ask, person.told.append, interactive=interactive, trials=trials(**how)).robot()


def test_what_is_asked_is_tried_and_becomes_a_file_that_the_nodes_read(tmp_path, monkeypatch):
    monkeypatch.setattr(init_command, 'find', lambda: FoundCameras([], []))
    person = Person('udp://10.0.0.2:14566', 'rtsp://10.0.0.3/eo', '54.5', '')
    robot = interview(person)
    write(robot, tmp_path / 'my_robot.yaml')
    files = [tmp_path / 'my_robot.yaml']
    assert given_in(files, '/robot/gimbal_driver', 'link') == 'udp://10.0.0.2:14566'
    assert given_in(files, '/robot/eo/camera', 'source') == 'rtsp://10.0.0.3/eo'
    assert given_in(files, '/robot/eo/camera', 'horizontal_field_deg') == 54.5
    assert given_in(files, '/robot/eo/detector', 'model') == 'default'
    assert person.told.count('works: seen') == 3
    assert 'No camera was found' in ''.join(person.told)


def test_what_does_not_work_is_asked_again_or_written_all_the_same():
    person = Person('udp://10.0.0.9:1', 'n', 'udp://10.0.0.2:14566', '/dev/video7', 'y', '', '')
    robot = interview(person, '--model', 'default', broken=('udp://10.0.0.9:1', '/dev/video7'))
    assert (robot.link, robot.source, robot.field_deg) == ('udp://10.0.0.2:14566', '/dev/video7', None)
    assert 'does not work: nobody answers' in person.told


def test_credentials_are_written_by_name_only(tmp_path):
    """`camera_check` proposes the address so; what was typed is never written."""
    proposed = {'source': 'rtsp://${CAMERA_USER}:${CAMERA_PASSWORD}@10.0.0.3/eo', 'transport': 'udp'}
    robot = interview(
        Person(),
        '--link',
        'none',
        '--camera',
        'rtsp://me:secret@10.0.0.3/eo',
        '--field',
        '60',
        '--model',
        'default',
        interactive=False,
        proposed=proposed,
    )
    assert 'secret' not in robot.text()
    content = yaml.safe_load(robot.text())
    assert content['/**/eo/camera']['ros__parameters'] == {
        'source': proposed['source'],
        'horizontal_field_deg': 60.0,
        'transport': 'udp',
    }
    assert '/**/gimbal_driver' not in content
    assert 'gimbal:=false' in next_steps(robot, tmp_path / 'x.yaml')[0]


def test_without_a_field_of_view_the_file_says_what_is_missing(tmp_path):
    robot = RobotFile('', '/dev/video0')
    assert '# horizontal_field_deg: 60.0' in robot.text()
    assert yaml.safe_load(robot.text())['/**/eo/camera']['ros__parameters'] == {'source': '/dev/video0'}
    assert any('field of view' in line for line in next_steps(robot, tmp_path / 'x.yaml'))


@pytest.mark.parametrize(
    ('words', 'refusal', 'sentence'),
    [
        ((), InitError, 'There is no terminal to ask on: give the answer with --link.'),
        (
            ('--link', 'udp://10.0.0.9:1'),
            NotWanted,
            'udp://10.0.0.9:1 does not work: nobody answers Nothing was written; --no-check writes it untried.',
        ),
        (
            ('--link', 'none', '--camera', '/dev/video0', '--field', '200'),
            NotWanted,
            "'200' is not an angle between 0 and 180 degrees. Nothing was written.",
        ),
        (('--link', 'tcp://x', '--camera', '/dev/video0', '--no-check'), LinkError, None),
    ],
)
def test_without_a_terminal_everything_must_be_said_and_work(words, refusal, sentence):
    with pytest.raises(refusal) as refused:
        interview(Person(), *words, interactive=False, broken=('udp://10.0.0.9:1',))
    assert sentence is None or str(refused.value) == sentence


def test_a_file_that_is_there_stays_and_nobody_is_asked_for_nothing(tmp_path, capsys, monkeypatch):
    path = tmp_path / 'my_robot.yaml'
    path.write_text('mine')
    monkeypatch.setattr('builtins.input', lambda _question: pytest.fail('asked'))
    for target in (path, tmp_path / 'link'):
        if target != path:
            target.symlink_to(tmp_path / 'nowhere')
        with pytest.raises(SystemExit) as ended:
            init_command.main(['--output', str(target)])
        assert ended.value.code == 2
        assert 'is there already and stays as it is: name another with --output.' in capsys.readouterr().err
    assert path.read_text() == 'mine'
    with pytest.raises(InitError):
        write(RobotFile('', '/dev/video0'), path)
    write(RobotFile('', '/dev/video0'), tmp_path / 'robots/mine.yaml')
    assert (tmp_path / 'robots/mine.yaml').is_file()
    with pytest.raises(InitError, match='cannot be written'):
        write(RobotFile('', '/dev/video0'), tmp_path / f'{"x" * 300}/mine.yaml')


@pytest.mark.parametrize(('text', 'degrees'), [('', None), (' 60 ', 60.0), ('54.5°', 54.5)])
def test_angles_as_people_type_them(text, degrees):
    assert field_of(text) == degrees


@pytest.mark.parametrize('text', ['0', '180', '-3', 'nan', 'inf', 'wide', '60,5'])
def test_no_angle_is_refused(text):
    with pytest.raises(ValueError, match=r'^'):
        field_of(text)
