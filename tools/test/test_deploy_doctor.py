# SPDX-License-Identifier: Apache-2.0
"""`docker/deploy doctor`: a robot without a checkout, ROS or pip's packages is looked at, and keeps nothing of it."""

import subprocess
import sys
import tarfile

import pytest

from gremsy_deploy.doctors import doctor_file
from gremsy_deploy.errors import DeployError
from tools.test.test_deploy import DEPLOY, REPOSITORY


def test_what_is_sent_runs_by_the_standard_library_alone(tmp_path):
    (tmp_path / 'doctor.pyz').write_bytes(doctor_file(REPOSITORY / 'src'))
    done = subprocess.run(
        [sys.executable, '-I', '-S', '-B', 'doctor.pyz', '--robot', '--help'],
        cwd=tmp_path,
        env={'PATH': '/usr/bin:/bin', 'HOME': str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, '')
    assert '--bundle' in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ['doctor.pyz']


def test_a_checkout_that_is_not_whole_is_named(tmp_path):
    with pytest.raises(DeployError, match='the doctor is sent from a whole checkout'):
        doctor_file(tmp_path)


def test_a_robot_is_looked_at_and_its_archive_comes_here_without_its_secrets(tmp_path):
    robot, here, scratch = tmp_path / 'robot folder', tmp_path / 'here', tmp_path / 'scratch'
    for folder in (robot / 'shared' / 'config', robot / 'releases', here, scratch):
        folder.mkdir(parents=True)
    (robot / 'shared' / '.env').write_text(
        'API_KEY=b1946ac92492d2347c6235b4d2611184\nGREMSY_LINK=serial:///dev/ttyNONE7\n'
    )
    before = sorted(path for path in robot.rglob('*'))
    inventory = tmp_path / 'robots.ini'
    inventory.write_text(f'[alpha]\nhost = local\nfolder = {robot}\n')
    done = subprocess.run(
        [sys.executable, DEPLOY, 'doctor', '--inventory', inventory, '--bundle'],
        cwd=here,
        # A folder of its own for what is temporary, which must be empty afterwards.
        env={'PATH': '/usr/bin:/bin', 'HOME': str(tmp_path), 'TMPDIR': str(scratch)},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    assert [line for line in lines if not line.startswith('alpha: ')] == []
    assert any('/dev/ttyNONE7 is not there' in line for line in lines)
    assert any(' Docker  ' in line for line in lines)
    assert lines[-1] == 'alpha: failed (not ready)'
    (archive,) = here.iterdir()
    assert archive.name.startswith('gremsy_doctor_alpha_')
    with tarfile.open(archive) as tar:
        names = {each.name.removeprefix('gremsy_doctor/') for each in tar.getmembers()}
        whole = b''.join(tar.extractfile(each).read() for each in tar.getmembers())
    assert {'README.txt', 'checks.txt', 'configuration/env.txt'} <= names
    assert b'b1946ac92492d2347c6235b4d2611184' not in whole
    assert b'GREMSY_LINK=serial:///dev/ttyNONE7' in whole
    # Nothing stays there.
    assert sorted(path for path in robot.rglob('*')) == before
    assert list(scratch.iterdir()) == []
