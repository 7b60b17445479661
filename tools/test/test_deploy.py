# SPDX-License-Identifier: Apache-2.0
"""docker/deploy and docker/robot/agent, run as programs, on a robot whose Docker is files (fake_robot/docker).

What must hold is that of a robot, not of the code: never two releases at once, always one after recovery, and the one
that `current` names.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
FAKES = Path(__file__).parent / 'fake_robot'
DEPLOY = REPOSITORY / 'docker' / 'deploy'
OLD = f'registry.example/gremsy:1.0@sha256:{"a" * 64}'
NEW = f'registry.example/gremsy:1.1@sha256:{"b" * 64}'
SERVICES = ('gremsy', 'mediamtx', 'web-ui')

pytestmark = [
    pytest.mark.skipif(not shutil.which('flock'), reason='util-linux, which has flock, is missing'),
    pytest.mark.timeout(300),
]


@dataclass
class FakeRobot:
    """A robot and the machine beside it, in one folder."""

    root: Path
    environment: dict[str, str] = field(init=False)

    def __post_init__(self):
        self.state.mkdir(parents=True)
        (self.home / 'shared').mkdir(parents=True)
        (self.home / 'shared' / '.env').write_text('ROBOT=robot\n')
        self.inventory.write_text(f'[here]\nhost = local\nfolder = {self.home}\n')
        self.environment = {
            **os.environ,
            'FAKE_ROBOT': str(self.state),
            'PATH': f'{FAKES}:{os.environ["PATH"]}',
            'GREMSY_POLL_S': '0.05',
            'GREMSY_ACT_S': '5',
            'GREMSY_GRACE_S': '1',
        }

    @property
    def home(self):
        return self.root / 'home folder'

    @property
    def state(self):
        return self.root / 'docker'

    @property
    def inventory(self):
        return self.root / 'robots.ini'

    def deploy(self, *arguments, **environment):
        return subprocess.run(
            [sys.executable, DEPLOY, arguments[0], '--inventory', self.inventory, *arguments[1:]],
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def agent(self, *arguments, **environment):
        return subprocess.run(
            ['sh', self.home / 'agent', self.home, *arguments],
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def faults(self, *lines):
        (self.state / 'faults').write_text(''.join(f'{line}\n' for line in lines))

    def never_ready(self, *releases):
        (self.state / 'unready').write_text(''.join(f'{project(release)}\n' for release in releases))

    def calls(self):
        return (self.state / 'calls').read_text().splitlines()

    def running(self):
        """Of each release its services that run."""
        found = {}
        for path in (self.state / 'containers').glob('*'):
            if path.read_text() == 'running\n':
                name, service = next((path.name.removesuffix(f'-{s}-1'), s) for s in SERVICES if f'-{s}-1' in path.name)
                found.setdefault(name, set()).add(service)
        return found

    def link(self, name):
        path = self.home / name
        return path.readlink().name if path.is_symlink() else ''

    def runs_whole(self, release):
        return self.running() == {project(release): set(SERVICES)}

    def never_two_at_once(self):
        return not (self.state / 'conflicts').exists()

    def interrupted(self):
        return (self.home / 'state' / 'switch').exists()


def project(release):
    return 'gremsy-' + release.lower().replace('.', '-')


@pytest.fixture
def robot(tmp_path):
    return FakeRobot(tmp_path)


@pytest.fixture
def running(robot):
    """A robot with the old release."""
    done = robot.deploy('up', OLD)
    assert done.returncode == 0, done.stdout + done.stderr
    return robot


@pytest.fixture(scope='session')
def staged(tmp_path_factory):
    """A robot with the old release running and the new one brought, to be copied: each death needs one."""
    robot = FakeRobot(tmp_path_factory.mktemp('staged'))
    assert robot.deploy('up', OLD).returncode == 0
    robot.faults('pull 1-1- fail')
    assert robot.deploy('up', NEW).returncode == 1
    (robot.state / 'faults').unlink()
    return robot


def copy_of(staged, to):
    shutil.copytree(staged.root, to, symlinks=True, dirs_exist_ok=True)
    robot = FakeRobot.__new__(FakeRobot)
    robot.root = to
    robot.environment = {**staged.environment, 'FAKE_ROBOT': str(to / 'docker')}
    robot.inventory.write_text(f'[here]\nhost = local\nfolder = {robot.home}\n')
    (robot.state / 'steps').unlink(missing_ok=True)
    return robot


def release_named(robot, tag):
    return next(path.name for path in (robot.home / 'releases').iterdir() if path.name.startswith(f'{tag}-'))


def test_a_release_replaces_the_one_before(running):
    old = running.link('current')
    done = running.deploy('up', NEW)
    assert done.returncode == 0, done.stdout + done.stderr
    new = running.link('current')
    assert new.startswith('1.1-') and running.link('previous') == old
    assert running.runs_whole(new) and running.never_two_at_once()
    # What takes long is done while the old one runs: the image is there and the containers are made before it stops.
    verbs = [call for call in running.calls() if project(new) in call or call.startswith('stop')]
    stop = next(i for i, call in enumerate(verbs) if call.startswith('stop'))
    for early in (' pull', ' run ', ' create'):
        assert any(early in call for call in verbs[:stop])
    assert not any(call.startswith('compose') for call in verbs[stop:])


def test_the_image_is_named_by_tag_and_digest_and_models_are_shared(running):
    folder = running.home / 'releases' / running.link('current')
    settings = dict(line.split('=', 1) for line in (folder / 'release.env').read_text().splitlines())
    assert f'{settings["IMAGE"]}:{settings["TAG"]}' == OLD
    for name in ('models', 'engines', 'config', 'logs'):
        assert (folder / name).resolve() == running.home / 'shared' / name


def test_one_that_does_not_get_ready_goes_back_by_itself(running):
    old = running.link('current')
    running.faults('pull 1-1- fail')
    running.deploy('up', NEW)
    running.faults()
    running.never_ready(release_named(running, '1.1'))
    done = running.deploy('up', NEW, '--ready-within', '1')
    assert done.returncode == 1
    assert 'No picture comes' in done.stdout and f'{old} runs' in done.stdout
    assert running.link('current') == old and running.runs_whole(old) and running.never_two_at_once()


def test_rollback_starts_what_was_made_before(running):
    old = running.link('current')
    running.deploy('up', NEW)
    before = len(running.calls())
    done = running.deploy('rollback')
    assert done.returncode == 0, done.stdout
    # For the reader: with a Docker that takes no time.
    print(next(line for line in done.stdout.splitlines() if 'rollback took' in line))
    assert running.link('current') == old and running.runs_whole(old)
    # Neither a pull nor new containers: nothing that can take long or need a network.
    assert not any(call.startswith('compose') and ' version' not in call for call in running.calls()[before:])


def test_rollback_stays_where_a_person_sent_it(staged, tmp_path):
    robot = copy_of(staged, tmp_path)
    old = robot.link('current')
    assert robot.agent('up', release_named(robot, '1.1'), '1').returncode == 0
    robot.never_ready(old)
    done = robot.deploy('rollback', '--ready-within', '0')
    assert done.returncode == 1 and 'here: not ready' in done.stdout and 'No picture comes' in done.stdout
    assert robot.link('current') == old and robot.runs_whole(old) and not robot.interrupted()


def test_rollback_needs_a_release_before(running):
    assert 'no release to go back to' in running.deploy('rollback').stdout


@pytest.mark.parametrize('action', ['fail', 'hang'])
@pytest.mark.parametrize('verb', ['pull', 'run', 'create'])
def test_what_goes_wrong_before_the_switch_leaves_the_old_one_alone(running, verb, action):
    old = running.link('current')
    running.faults(f'{verb} 1-1- {action}')
    done = running.deploy('up', NEW, GREMSY_PULL_S='1', GREMSY_WORK_S='1')
    assert done.returncode == 1 and 'nothing was changed' in done.stdout
    assert running.runs_whole(old) and running.link('current') == old
    assert not any(call.startswith('stop') for call in running.calls())


@pytest.mark.parametrize('action', ['fail', 'hang', 'half'])
@pytest.mark.parametrize('fault', ['stop 1-0-', 'start 1-1-', 'exec 1-1-'])
def test_what_goes_wrong_in_the_switch_brings_the_old_one_back(staged, tmp_path, fault, action):
    robot = copy_of(staged, tmp_path)
    old, new = robot.link('current'), release_named(robot, '1.1')
    robot.faults(f'{fault} {action}')
    done = robot.agent('up', new, '1', GREMSY_ACT_S='1', GREMSY_GRACE_S='0')
    assert robot.never_two_at_once()
    if fault.startswith('stop') or (action == 'half' and fault.startswith('exec')):
        # It could be killed after all, or nothing was wrong.
        assert done.returncode == 0 and robot.runs_whole(new)
    else:
        assert done.returncode == 1, done.stdout
        assert robot.link('current') == old and robot.runs_whole(old)


def test_a_docker_that_does_not_answer_any_more_is_seen_to_when_it_does(staged, tmp_path):
    robot = copy_of(staged, tmp_path)
    old = robot.link('current')
    # The new one neither starts nor stops, and cannot be killed.
    robot.faults('start 1-1- half', 'stop 1-1- fail', 'kill 1-1- fail')
    done = robot.agent('up', release_named(robot, '1.1'), '1')
    assert done.returncode == 2 and robot.interrupted()
    assert 'interrupted' in robot.deploy('status').stdout
    robot.faults()
    assert robot.agent('recover').returncode == 0
    assert robot.runs_whole(old) and not robot.interrupted() and robot.never_two_at_once()


@pytest.mark.parametrize(
    'command', ['up', *(pytest.param(name, marks=pytest.mark.slow) for name in ('rollback', 'first', 'recover'))]
)
def test_the_power_may_go_at_any_step(staged, tmp_path, command):
    # Every docker, sync, mv, rm and ln of the agent is a step: it dies before the first, before the second, ...
    died = []
    for death in range(1, 200):
        robot = copy_of(staged, tmp_path / str(death))
        old, new = robot.link('current'), release_named(robot, '1.1')
        arguments = ('up', new, '1')
        if command == 'rollback':
            assert robot.agent('up', new, '1').returncode == 0
            arguments, (old, new) = ('rollback', '1'), (new, old)
        elif command == 'first':
            for path in (robot.state / 'containers').iterdir():
                path.unlink()
            (robot.home / 'current').unlink()
            old = ''
        elif command == 'recover':
            robot.never_ready(new)
            robot.agent('up', new, '0', FAKE_DEATH='18')
            (robot.state / 'unready').unlink(missing_ok=True)
            arguments = ('recover',)
        (robot.state / 'steps').unlink(missing_ok=True)
        (robot.state / 'died').unlink(missing_ok=True)
        robot.agent(*arguments, FAKE_DEATH=str(death))
        if not (robot.state / 'died').exists():
            break
        died.append((robot.state / 'died').read_text().split()[1])
        # Whoever asks is told, whatever is half done.
        assert robot.agent('status').returncode == 0
        done = robot.agent('recover')
        now = robot.link('current')
        where = f'{command} {(robot.state / "died").read_text()} {done.stdout}'
        assert done.returncode == 0, where
        assert now in {old, new}, where
        assert not robot.interrupted(), where
        assert robot.never_two_at_once(), where
        assert robot.runs_whole(now) if now else robot.running() == {}, where
        shutil.rmtree(robot.root)
    # It did die, in Docker's calls and in its own files.
    assert {'docker', 'mv', 'sync'} <= set(died) or (command == 'recover' and 'docker' in died)
    print(f'{command}: died at {len(died)} steps')


def test_a_new_run_ends_what_was_interrupted(staged, tmp_path):
    robot = copy_of(staged, tmp_path)
    new = release_named(robot, '1.1')
    # Until the new one's question after readiness it is not the current one.
    steps = [f'{n}' for n in range(1, 60)]
    for death in steps:
        robot.agent('up', new, '1', FAKE_DEATH=death)
        if robot.interrupted():
            break
        (robot.state / 'steps').unlink()
    assert robot.interrupted()
    done = robot.deploy('up', NEW)
    assert done.returncode == 0, done.stdout
    assert 'interrupted' in done.stdout and robot.runs_whole(new) and robot.never_two_at_once()


def test_the_robot_goes_on_when_deploy_is_killed(running):
    (running.state / 'hold').touch()
    process = subprocess.Popen(
        [sys.executable, DEPLOY, 'up', '--inventory', running.inventory, NEW],
        env={**running.environment, 'GREMSY_ACT_S': '30'},
        stdout=subprocess.PIPE,
    )
    wait_until(lambda: any(call.startswith('exec gremsy-1-1-') for call in running.calls()))
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert running.deploy('up', NEW).stdout.rstrip().endswith('busy (another deploy is at it)')
    (running.state / 'hold').unlink()
    wait_until(lambda: running.link('current').startswith('1.1-') and not running.interrupted())
    assert running.runs_whole(running.link('current'))


def wait_until(condition, most_s=60.0):
    end = time.monotonic() + most_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_tag_that_is_another_image_now_is_refused(running):
    other = OLD.replace('a' * 64, 'c' * 64)
    done = running.deploy('up', other)
    assert done.returncode == 1 and 'a release needs a tag of its own' in done.stdout
    # The one that was right is not in the way of itself.
    assert running.deploy('up', OLD).returncode == 0


@pytest.mark.parametrize(
    'image', ['gremsy:latest', 'gremsy', f'gremsy:1@sha256:{"a" * 63}', '-o:1', f'Gremsy:1@sha256:{"a" * 64}']
)
def test_what_is_no_immutable_image_is_refused(robot, image):
    done = robot.deploy('up', '--', image) if image.startswith('-') else robot.deploy('up', image)
    assert done.returncode == 2


def test_without_its_settings_nothing_is_started(robot):
    (robot.home / 'shared' / '.env').unlink()
    done = robot.deploy('up', OLD)
    assert done.returncode == 1 and '.env is missing' in done.stdout and robot.running() == {}


def test_status_is_for_programs_too(running):
    done = running.deploy('status', '--json')
    assert done.returncode == 0
    (status,) = json.loads(done.stdout)
    assert status['current'] == running.link('current') and status['ready'] == 'yes' and status['interrupted'] == ''
    running.never_ready(running.link('current'))
    done = running.deploy('status')
    assert done.returncode == 1 and 'No picture comes' in done.stdout


def test_old_releases_go_but_for_those_one_can_go_back_to(running):
    for tag, digit in (('1.1', 'b'), ('1.2', 'c'), ('1.3', 'd')):
        running.deploy('up', f'registry.example/gremsy:{tag}@sha256:{digit * 64}', GREMSY_KEEP='2')
    left = {path.name.split('-')[0] for path in (running.home / 'releases').iterdir()}
    assert left == {'1.2', '1.3'}
    assert any(call.startswith('image rm registry.example/gremsy:1.0@sha256:') for call in running.calls())


def test_the_example_of_the_inventory_is_one():
    sys.path.insert(0, str(REPOSITORY / 'docker'))
    from gremsy_deploy.inventory import read_inventory

    places = read_inventory(REPOSITORY / 'docker' / 'robots.example.ini')
    assert [place.name for place in places] == ['alpha', 'bravo'] and places[0].canary
