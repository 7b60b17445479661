# SPDX-License-Identifier: Apache-2.0
import sys

import pytest
from packaging.markers import Marker, default_environment

from gremsy_tool.errors import GremsyError
from gremsy_tool.layout import REPOSITORY
from gremsy_tool.requirements import Pin, install, merge_locks, normalise, read_lock

LOCKS = sorted((REPOSITORY / 'requirements').glob('*.txt'))


def write(path, text):
    path.write_text(text)
    return path


@pytest.mark.parametrize('lock', LOCKS, ids=lambda path: path.stem)
def test_every_line_is_pinned_and_hashed_and_names_no_index(lock):
    assert all(len(pin.hashes) >= len('--hash=sha256:') + 64 for pin in read_lock(lock))
    text = lock.read_text()
    assert 'index-url' not in text
    assert '://' not in text


@pytest.mark.parametrize('other', ['ros-jazzy', 'ros-kilted'])
@pytest.mark.parametrize('python', ['3.10.12', '3.11.2', '3.12.3', '3.13.0', '3.14.0'])
def test_together_the_groups_give_each_package_one_version(python, other):
    locks = [path for path in LOCKS if not path.stem.startswith('ros-') or path.stem == other]
    here = {**default_environment(), 'python_full_version': python, 'python_version': python.rsplit('.', 1)[0]}
    wanted = [pin for pin in merge_locks(locks) if not pin.marker or Marker(pin.marker).evaluate(here)]
    names = [pin.name for pin in wanted]
    assert len(names) == len(set(names))
    assert {'numpy', 'pytest', f'{other}-rclpy'} <= set(names)


@pytest.mark.parametrize('source', sorted((REPOSITORY / 'requirements').glob('*.in')), ids=lambda path: path.stem)
def test_a_lock_has_what_its_source_asks_for(source):
    locked = read_lock(source.with_suffix('.txt'))
    wanted = [line for line in source.read_text().splitlines() if line and not line.startswith('#')]
    assert {normalise(line.split('=')[0].split('<')[0]) for line in wanted} <= {pin.name for pin in locked}


def merged(*args, **kwargs):
    return [str(pin) for pin in merge_locks(*args, **kwargs)]


def test_a_name_left_out_is_left_out_however_it_is_spelled(tmp_path):
    lock = write(tmp_path / 'a.txt', 'PyYAML==1 --hash=sha256:00\nnumpy==2 \\\n    --hash=sha256:11 # why\n')
    assert merged([lock], skip=['pyyaml']) == ['numpy==2 --hash=sha256:11']


def test_a_package_counts_where_any_group_needs_it(tmp_path):
    first = write(tmp_path / 'a.txt', "six==1 ; python_version < '3.11' --hash=sha256:00\n")
    second = write(tmp_path / 'b.txt', "six==1 ; python_version < '3.15' --hash=sha256:00\n")
    third = write(tmp_path / 'c.txt', 'six==1 --hash=sha256:00\n')
    both = "six==1 ; (python_version < '3.11') or (python_version < '3.15') --hash=sha256:00"
    assert merged([first, second]) == [both]
    assert merged([first, second, third]) == ['six==1 --hash=sha256:00']


def test_locks_that_disagree_are_refused(tmp_path):
    first = write(tmp_path / 'a.txt', 'numpy==1 --hash=sha256:00\n')
    second = write(tmp_path / 'b.txt', 'numpy==2 --hash=sha256:00\n')
    with pytest.raises(GremsyError) as caught:
        merge_locks([first, second])
    assert str(caught.value) == 'The locks disagree about "numpy" (seen in b.txt): run ./gremsy setup --relock.'


def test_an_entry_without_hash_is_refused(tmp_path):
    lock = write(tmp_path / 'a.txt', 'numpy==1\n')
    with pytest.raises(GremsyError, match=r'has a line without version or hash \("numpy==1"\): run ./gremsy setup'):
        read_lock(lock)


def test_a_lock_that_is_not_there_is_named(tmp_path):
    with pytest.raises(GremsyError, match=r'nothing.txt cannot be read \(No such file or directory\)'):
        read_lock(tmp_path / 'nothing.txt')


def fake_pip(tmp_path, *, prints, status):
    """A package called pip whose `python -m pip` only talks."""
    (tmp_path / 'pip').mkdir()
    (tmp_path / 'pip' / '__init__.py').touch()
    (tmp_path / 'pip' / '__main__.py').write_text(f'import sys\nprint({prints!r})\nsys.exit({status})\n')
    return {'PYTHONPATH': str(tmp_path)}


@pytest.mark.parametrize(
    ('prints', 'sentence'),
    [
        (
            "WARNING: Retrying after connection broken by 'NewConnectionError: [Errno 101] Network is unreachable'",
            'No network: pip cannot reach its package index; check the connection (or the proxy and mirror in '
            "pip's configuration: pip config list) and run ./gremsy setup again.",
        ),
        (
            'ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device',
            'The disk is full: free 3 GB for {folder}, or set GREMSY_STATE to a folder on another disk.',
        ),
        (
            'ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.',
            'A downloaded package does not match its locked hash (see {folder}/pip.log): clear the cache with '
            'pip cache purge, and try again.',
        ),
        (
            'ERROR: Could not find a version that satisfies the requirement wheel==1 (from versions: none)',
            'The package index that pip uses has none of the locked packages (see {folder}/pip.log): check it with '
            'pip config list.',
        ),
        (
            'ERROR: something new',
            'pip could not install the locked packages (ERROR: something new): the whole output is in '
            '{folder}/pip.log.',
        ),
    ],
)
def test_what_pip_says_becomes_a_sentence(tmp_path, prints, sentence):
    env = fake_pip(tmp_path, prints=prints, status=1)
    with pytest.raises(GremsyError) as caught:
        install(sys.executable, [Pin('numpy==1', '', '--hash=sha256:00')], env, lambda _: None, tmp_path / 'pip.log')
    assert str(caught.value) == sentence.format(folder=tmp_path)


def test_progress_counts_the_packages(tmp_path):
    notes = []
    env = fake_pip(tmp_path, prints='Collecting numpy==1\nInstalling collected packages: numpy', status=0)
    install(sys.executable, [Pin('numpy==1', '', '--hash=sha256:00')], env, notes.append, tmp_path / 'pip.log')
    assert notes == ['1/1 numpy', 'unpacking']
