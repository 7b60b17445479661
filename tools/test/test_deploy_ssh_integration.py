# SPDX-License-Identifier: Apache-2.0
"""docker/deploy through OpenSSH's own server, on a free port, with keys that are made for it and gone afterwards."""

import getpass
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tools.test.test_deploy import DEPLOY, FAKES, NEW, OLD, FakeRobot, wait_until

SSHD = shutil.which('sshd', path=f'{os.environ["PATH"]}:/usr/sbin:/usr/local/sbin')

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not SSHD, reason='sshd is missing: apt-get install openssh-server'),
    pytest.mark.skipif(not shutil.which('ssh-keygen'), reason='ssh is missing: apt-get install openssh-client'),
]


@pytest.fixture
def sshd(tmp_path):
    """A robot behind sshd; the inventory has another, for which nobody answers."""
    robot = FakeRobot(tmp_path / 'alpha')
    for name in ('host', 'user'):
        subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', tmp_path / name], check=True)
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    if os.geteuid() == 0:
        # Where Debian's service makes it: what sshd is locked into before a user is known.
        Path('/run/sshd').mkdir(exist_ok=True)
    (tmp_path / 'known').write_text(f'[127.0.0.1]:{port} {(tmp_path / "host.pub").read_text()}')
    settings = {
        'Port': port,
        'ListenAddress': '127.0.0.1',
        'HostKey': tmp_path / 'host',
        'AuthorizedKeysFile': tmp_path / 'user.pub',
        'PidFile': 'none',
        'StrictModes': 'no',
        'PasswordAuthentication': 'no',
        'PermitRootLogin': 'yes',
        'SetEnv': f'PATH={FAKES}:/usr/bin:/bin FAKE_ROBOT={robot.state} GREMSY_POLL_S=0.05 GREMSY_ACT_S=30',
    }
    (tmp_path / 'sshd_config').write_text(''.join(f'{name} {value}\n' for name, value in settings.items()))
    options = f'-i {tmp_path}/user -o IdentitiesOnly=yes -o UserKnownHostsFile={tmp_path}/known -F none'
    robot.inventory.write_text(
        f'[DEFAULT]\nhost = {getpass.getuser()}@127.0.0.1\nssh_options = {options}\n'
        f'[alpha]\nport = {port}\nfolder = {robot.home}\ncanary = yes\n'
        '[gone]\nport = 1\n'
    )
    process = subprocess.Popen([SSHD, '-D', '-e', '-f', tmp_path / 'sshd_config'], stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: process.poll() is not None or listens(port))
        assert process.poll() is None, process.stderr.read()
        yield robot
    finally:
        process.terminate()
        process.wait()
        process.stderr.close()


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(('127.0.0.1', port)) == 0


def test_a_release_comes_by_ssh_and_goes_back(sshd):
    done = sshd.deploy('up', OLD, '--robots', 'alpha')
    assert done.returncode == 0, done.stdout + done.stderr
    old = sshd.link('current')
    done = sshd.deploy('up', NEW, '--robots', 'alpha')
    assert done.returncode == 0, done.stdout
    assert sshd.runs_whole(sshd.link('current')) and sshd.link('previous') == old
    done = sshd.deploy('rollback', '--robots', 'alpha')
    assert done.returncode == 0 and sshd.runs_whole(old) and sshd.never_two_at_once()
    print(next(line for line in done.stdout.splitlines() if 'rollback took' in line))


def test_a_robot_that_is_gone_is_named_and_the_others_are_served(sshd):
    done = sshd.deploy('up', OLD)
    assert done.returncode == 1
    assert 'alpha: done' in done.stdout and 'gone: lost' in done.stdout
    done = sshd.deploy('status')
    assert 'alpha: 1.0-' in done.stdout and 'gone: not reached' in done.stdout


def test_a_robot_goes_on_when_the_connection_is_cut(sshd):
    assert sshd.deploy('up', OLD, '--robots', 'alpha').returncode == 0
    (sshd.state / 'hold').touch()
    process = subprocess.Popen(
        ['python3', DEPLOY, 'up', '--inventory', sshd.inventory, '--robots', 'alpha', NEW],
        env=sshd.environment,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    wait_until(lambda: any(call.startswith('exec gremsy-1-1-') for call in sshd.calls()))
    # Deploy and its ssh: the connection is gone with them.
    os.killpg(process.pid, 9)
    process.wait()
    process.stdout.close()
    (sshd.state / 'hold').unlink()
    wait_until(lambda: sshd.link('current').startswith('1.1-') and not sshd.interrupted())
    assert sshd.runs_whole(sshd.link('current'))
