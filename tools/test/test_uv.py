# SPDX-License-Identifier: Apache-2.0
"""The lock, and what is made of pip's settings and of uv's words. The texts are those of uv 0.13.9 and pip 24."""

import json
import os
import shlex
import sys
from pathlib import Path

import pytest
from packaging.markers import Marker, default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from gremsy_tool.errors import GremsyError
from gremsy_tool.layout import REPOSITORY, find_layout
from gremsy_tool.uv import Uv, known_groups

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LOCK = tomllib.loads((REPOSITORY / 'uv.lock').read_text())
PROJECT = tomllib.loads((REPOSITORY / 'pyproject.toml').read_text())
PIN = (REPOSITORY / 'tools' / 'uv.txt').read_text()


def files_of(package):
    return [*package.get('wheels', []), *([package['sdist']] if 'sdist' in package else [])]


def test_the_lock_has_a_hash_for_every_file_and_names_the_public_index_only():
    others = [package for package in LOCK['package'] if package['source'] != {'virtual': '.'}]
    assert {package['source']['registry'] for package in others} == {'https://pypi.org/simple'}
    assert all(files_of(package) for package in others)
    for file in (file for package in others for file in files_of(package)):
        assert file['hash'].startswith('sha256:')
        assert file['url'].startswith('https://files.pythonhosted.org/')


def test_the_lock_has_what_the_groups_ask_for():
    own = next(package for package in LOCK['package'] if package['source'] == {'virtual': '.'})
    for group, wanted in PROJECT['dependency-groups'].items():
        locked = own['metadata']['requires-dev'][group]
        assert {(item['name'], str(SpecifierSet(item.get('specifier', '')))) for item in locked} == {
            (line.name.lower(), str(line.specifier)) for line in map(Requirement, wanted)
        }


def test_uv_is_brought_in_the_version_that_is_locked():
    uv = next(package for package in LOCK['package'] if package['name'] == 'uv')
    assert f'\nuv=={uv["version"]} ;' in PIN
    assert {file['hash'] for file in files_of(uv)} >= {
        part.removeprefix('--hash=') for part in PIN.split() if part.startswith('--hash=')
    }


@pytest.mark.parametrize('ros', ['ros-jazzy', 'ros-kilted'])
def test_together_the_groups_give_each_package_one_version(ros):
    layout = find_layout(os.environ)
    lines = Uv(layout, os.environ).locked([*known_groups(REPOSITORY), ros]).replace('\\\n', ' ').splitlines()
    wanted = [line.split('--hash')[0].strip().split(' ; ') for line in lines]
    for python in ('3.10.12', '3.11.2', '3.12.3', '3.13.0', '3.14.0'):
        for machine in ('x86_64', 'aarch64'):
            here = {
                **default_environment(), 'python_full_version': python, 'python_version': python.rsplit('.', 1)[0],
                'platform_machine': machine, 'sys_platform': 'linux', 'platform_python_implementation': 'CPython',
            }  # fmt: skip
            names = [pin.split('==')[0] for pin, marker in wanted if Marker(marker).evaluate(here)]
            assert len(names) == len(set(names))
            assert {'numpy', 'pytest', 'onnxruntime', 'uv'} <= set(names)
            # The wheels of ROS are for x86-64 only.
            assert (f'{ros}-rclpy' in names) == (machine == 'x86_64')
            assert not {'opencv-python', 'triton'} & set(names)


@pytest.fixture
def machine(tmp_path):
    return FakeMachine(tmp_path)


class FakeMachine:
    """A checkout, and a uv on the PATH that does what fake_uv.py says."""

    def __init__(self, folder):
        self.bin = folder / 'bin'
        self.bin.mkdir()
        script = (Path(__file__).parent / 'fake_uv.py').read_text()
        (self.bin / 'uv').write_text(f'#!{sys.executable}\n{script}')
        (self.bin / 'uv').chmod(0o755)
        self.repository = folder / 'repository'
        (self.repository / 'tools').mkdir(parents=True)
        for name in ('uv.lock', 'tools/uv.txt', 'pyproject.toml'):
            (self.repository / name).write_text((REPOSITORY / name).read_text())
        self.env = {'PATH': f'{self.bin}:/usr/bin:/bin', 'HOME': str(folder)}
        self.layout = find_layout(self.env, repository=self.repository)
        self.say('version', 'uv 99.0.0')

    def say(self, name, text):
        (self.bin / name).write_text(text)

    def calls(self, word):
        read = map(json.loads, (self.bin / 'calls').read_text().splitlines())
        return [(arguments, env) for arguments, env in read if word in arguments]

    def install(self, **env):
        uv = Uv(self.layout, {**self.env, **env})
        if not self.layout.python.exists():
            uv.make_venv(lambda _: None)
        return uv.install('demo==1 --hash=sha256:00', [], lambda _: None)


def test_what_was_installed_is_told(machine):
    assert machine.install() == ['demo']
    assert machine.install() == []
    (arguments, _), _ = machine.calls('install')
    assert {'--require-hashes', '--no-deps', '--require-build-hashes'} <= set(arguments)


def test_the_index_of_pip_is_handed_on(machine, tmp_path):
    config = tmp_path / 'pip.conf'
    config.write_text(
        '[global]\nindex-url = https://all.example/simple\ntimeout = 7\nextra-index-url =\n  https://a.example/s\n'
        '  https://b.example/s\nfind-links = /w1 /w2\nclient-cert = /c.pem\ntrusted-host = a.example\n'
        '[install]\nindex-url = https://user:secret@install.example/simple\n'
    )
    machine.install(PIP_CONFIG_FILE=str(config), PIP_CERT='/ca.pem', PIP_PROXY='http://proxy.example:1')
    ((arguments, env),) = machine.calls('install')
    assert env['UV_DEFAULT_INDEX'] == 'https://user:secret@install.example/simple'
    assert env['UV_INDEX'] == 'https://a.example/s https://b.example/s'
    assert env['UV_FIND_LINKS'] == '/w1,/w2'
    assert env['SSL_CERT_FILE'] == '/ca.pem'
    assert env['SSL_CLIENT_CERT'] == '/c.pem'
    assert env['UV_INSECURE_HOST'] == 'a.example'
    assert env['ALL_PROXY'] == 'http://proxy.example:1'
    assert env['UV_HTTP_TIMEOUT'] == '7'
    assert 'secret' not in ' '.join(arguments) + (machine.layout.state / 'uv.log').read_text()


def test_what_is_set_for_uv_itself_beats_what_is_set_for_pip(machine):
    machine.install(PIP_INDEX_URL='https://pip.example/simple', UV_DEFAULT_INDEX='https://uv.example/simple')
    assert machine.calls('install')[0][1]['UV_DEFAULT_INDEX'] == 'https://uv.example/simple'


def test_without_a_network_what_uv_has_in_its_cache_will_do(machine):
    machine.say('offline', '')
    assert machine.install() == ['demo']
    assert [env.get('UV_OFFLINE') for _, env in machine.calls('install')] == [None, '1']


def test_without_a_network_and_with_an_empty_cache_it_is_the_network_that_is_missing(machine):
    (machine.bin / 'uv').write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo uv 99.0.0 && exit\n[ "$1" = pip ] || exit 0\n'
        '[ "$UV_OFFLINE" ] && echo "there is no version of six" || echo "dns error"\nexit 1\n'
    )
    machine.layout.state.mkdir(parents=True)
    with pytest.raises(GremsyError) as caught:
        Uv(machine.layout, machine.env).install('', [], lambda _: None)
    assert str(caught.value) == NO_NETWORK


def test_a_private_index_does_not_get_into_the_lock(machine):
    Uv(machine.layout, {**machine.env, 'PIP_INDEX_URL': 'https://pip.example', 'UV_INDEX': 'https://uv.example'}).lock(
        lambda _: None
    )
    ((arguments, env),) = machine.calls('lock')
    assert arguments[-2:] == ['--default-index', 'https://pypi.org/simple']
    assert 'UV_INDEX' not in env
    assert 'UV_DEFAULT_INDEX' not in env


def test_a_lock_that_names_a_private_index_all_the_same_is_taken_back(machine):
    lock = machine.repository / 'uv.lock'
    before = lock.read_text()
    (machine.bin / 'uv').write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && echo uv 99.0.0 && exit\n'
        f'echo \'registry = "https://secret.example"\' >> {shlex.quote(str(lock))}\n'
    )
    with pytest.raises(GremsyError) as caught:
        Uv(machine.layout, machine.env).lock(lambda _: None)
    assert (
        str(caught.value) == "The new uv.lock names a private package index (from uv's configuration): lock without it."
    )
    assert lock.read_text() == before


@pytest.mark.parametrize('version', ['uv 0.1.0', 'no uv'])
def test_an_older_uv_of_the_machine_is_passed_over_for_ours(machine, version):
    machine.say('version', version)
    own = machine.layout.root / 'uv'
    (own / 'bin').mkdir(parents=True)
    (own / 'bin' / 'uv').write_text('#!/bin/sh\necho ours==1\n')
    (own / 'bin' / 'uv').chmod(0o755)
    (own / 'installed.txt').write_text(PIN)
    assert Uv(machine.layout, machine.env).locked(['runtime']) == 'ours==1\n'


NO_NETWORK = (
    "No network: the package index cannot be reached; check the connection (or the proxy and mirror in pip's "
    'configuration: pip config list) and run ./gremsy setup again.'
)


@pytest.mark.parametrize(
    ('prints', 'sentence'),
    [
        (
            'error: Failed to fetch: http://127.0.0.1:9/simple/six/\n  cause: client error (Connect)\n'
            '  cause: tcp connect error\n  cause: Connection refused (os error 111)',
            NO_NETWORK,
        ),
        ('error: Failed to fetch\n  cause: dns error\n  cause: error resolving DNS', NO_NETWORK),
        (
            'error: No solution found when resolving dependencies\n  cause: Because six was not found in the cache\n\n'
            'hint: Packages were unavailable because the network was disabled.',
            NO_NETWORK,
        ),
        (
            "WARNING: Retrying after connection broken by 'NewConnectionError: [Errno 101] Network is unreachable'",
            NO_NETWORK,
        ),
        (
            'error: Failed to query\n  cause: failed to write to file: No space left on device (os error 28)',
            'The disk is full: free 3 GB for {folder}, or set GREMSY_STATE to a folder on another disk.',
        ),
        (
            'error: Failed to download `six==1.16.0`\n  cause: Hash mismatch for `six==1.16.0`',
            'A downloaded package does not match its locked hash (see {folder}/uv.log): clear the caches '
            '({folder}/uv/bin/uv cache clean, pip cache purge), and try again.',
        ),
        (
            'error: No solution found when resolving dependencies\n'
            '  cause: Because six was not found in the package registry and you require six==1.16.0',
            'The package index that pip is configured with lacks a locked package (see {folder}/uv.log): check it with '
            'pip config list.',
        ),
        (
            'error: Something new\n  cause: Because of it',
            'uv ended with an error (cause: Because of it): its whole output is in {folder}/uv.log.',
        ),
    ],
)
def test_what_uv_and_pip_say_becomes_a_sentence(machine, prints, sentence):
    machine.say('prints', prints)
    with pytest.raises(GremsyError) as caught:
        machine.install()
    assert str(caught.value) == sentence.format(folder=machine.layout.state)


def test_a_lock_that_cannot_be_read_is_named(machine):
    (machine.bin / 'uv').write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo uv 99.0.0 || echo "error: bad" >&2; exit 2\n'
    )
    with pytest.raises(GremsyError) as caught:
        Uv(machine.layout, machine.env).locked(['runtime'])
    assert str(caught.value) == 'uv.lock cannot be read (error: bad): restore it with git checkout.'
