# SPDX-License-Identifier: Apache-2.0
"""uv, which installs what uv.lock says: found or brought along, pointed at pip's index, its errors put into words."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from gremsy_tool.children import follow
from gremsy_tool.errors import GremsyError, disk_full, no_venv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from gremsy_tool.layout import WorkspaceLayout

_PUBLIC_INDEX = 'https://pypi.org/simple'
# Settings of the user that would put packages elsewhere than into our folders, or refuse what is locked.
_MISLEADING = (
    'PIP_TARGET', 'PIP_PREFIX', 'PIP_ROOT', 'PIP_USER', 'PIP_NO_DEPS', 'PIP_ONLY_BINARY', 'PIP_NO_BINARY',
    'UV_EXCLUDE_NEWER', 'UV_NO_BINARY', 'UV_NO_BUILD', 'UV_PROJECT', 'UV_WORKING_DIR',
)  # fmt: skip
# Which setting of uv says the same as one of pip's.
_SAME_AS_PIPS = {
    'index-url': 'UV_DEFAULT_INDEX',
    'extra-index-url': 'UV_INDEX',
    'find-links': 'UV_FIND_LINKS',
    'trusted-host': 'UV_INSECURE_HOST',
    'cert': 'SSL_CERT_FILE',
    'client-cert': 'SSL_CLIENT_CERT',
    'proxy': 'ALL_PROXY',
    'timeout': 'UV_HTTP_TIMEOUT',
}
_INDEXES = ('UV_DEFAULT_INDEX', 'UV_INDEX', 'UV_FIND_LINKS', 'UV_INDEX_URL', 'UV_EXTRA_INDEX_URL')
_PIP_SETTING = re.compile(r'^(?P<section>global|install|:env:)\.(?P<name>[a-z-]+)=(?P<value>.*)$', re.MULTILINE)
# What pip and uv print when they cannot reach their index, seen with no route, no resolver, a refusing proxy and a bad
# mirror.
_NO_NETWORK = re.compile(
    r'NewConnectionError|NameResolutionError|ConnectTimeoutError|ReadTimeoutError|ProxyError|Temporary failure in name'
    r'|Network is unreachable|Connection refused|SSLError|Failed to establish a new connection|ConnectionResetError'
    r'|client error \(Connect\)|dns error|operation timed out|network was disabled'
)
_UNKNOWN = re.compile(r'\(from versions: none\)|was not found in the package registry|there (?:is|are) no versions? of')
_INSTALLED = re.compile(r'^ [+~] (\S+?)==')
_NAME = re.compile(r'^([A-Za-z0-9._-]+)==', re.MULTILINE)
_REGISTRY = re.compile(r'registry = "([^"]*)"')


class NoNetworkError(GremsyError):
    """No index answers."""


class Uv:
    """Runs uv for one workspace."""

    def __init__(self, layout: WorkspaceLayout, env: Mapping[str, str]) -> None:
        self._layout = layout
        self._env = {name: value for name, value in env.items() if name not in _MISLEADING}
        self._log = layout.state / 'uv.log'
        self._own = layout.root / 'uv'

    def make_venv(self, note: Callable[[str], None]) -> None:
        system = ['--system-site-packages'] if self._layout.system_ros else []
        venv = str(self._layout.venv)
        self._run(['venv', '--clear', '--no-project', '--python', sys.executable, *system, venv], self._env, note)

    def locked(self, groups: Iterable[str], without: Iterable[str] = ()) -> str:
        """The lock's part for these groups, as requirements with hashes."""
        command = [self._program(lambda _: None), 'export', '--frozen', '--offline', '--no-annotate', '--no-header']
        command += [part for group in groups for part in ('--only-group', group)]
        command += [part for name in without for part in ('--no-emit-package', name)]
        result = subprocess.run(
            [*command, '--quiet'],
            cwd=self._layout.repository,
            env=self._env,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode != 0:
            raise GremsyError(f'uv.lock cannot be read ({_last_of(result.stderr)}): restore it with git checkout.')
        return result.stdout

    def install(self, requirements: str, reinstalled: Iterable[str], note: Callable[[str], None]) -> list[str]:
        """Installs pinned packages, every file checked against its hash; returns the names of those that it wrote.

        Args:
            requirements: What `locked` returned.
            reinstalled: The packages that are written again though they seem to be there.
            note: Is called with what is being done.
        """
        wanted, build = self._layout.state / 'requirements.txt', self._layout.state / 'build_requirements.txt'
        wanted.write_text(requirements, encoding='utf-8')
        # A source package is built with what is locked, too.
        build.write_text(self.locked(['build']), encoding='utf-8')
        command = [
            'pip', 'install', '--python', str(self._layout.python), '--no-deps', '--require-hashes',
            '--requirements', str(wanted), '--build-constraints', str(build),
            '--require-build-hashes', '--preview-features', 'build-dependency-hashes',
            *(part for name in sorted(reinstalled) for part in ('--reinstall-package', name)),
        ]  # fmt: skip
        settings = self._settings()
        try:
            printed = self._run(command, settings, note)
        except NoNetworkError as error:
            # uv uses its cache alone only on request.
            try:
                printed = self._run(command, {**settings, 'UV_OFFLINE': '1'}, note)
            except GremsyError:
                raise error from None
        return [found[1] for line in printed if (found := _INSTALLED.match(line))]

    def lock(self, note: Callable[[str], None]) -> None:
        """Locks what pyproject.toml asks for."""
        lock, before = self._layout.uv_lock, self._layout.uv_lock.read_text(encoding='utf-8')
        # An index or a folder of the one who locks must not reach the others.
        env = {name: value for name, value in self._settings().items() if name not in _INDEXES}
        self._run(['lock', '--project', str(self._layout.repository), '--default-index', _PUBLIC_INDEX], env, note)
        if set(_REGISTRY.findall(lock.read_text(encoding='utf-8'))) != {_PUBLIC_INDEX}:
            lock.write_text(before, encoding='utf-8')
            raise GremsyError(
                "The new uv.lock names a private package index (from uv's configuration): lock without it."
            )
        self._layout.uv_pin.write_text(
            f'# SPDX-License-Identifier: Apache-2.0\n{self.locked(["uv"])}', encoding='utf-8'
        )

    def _program(self, note: Callable[[str], None]) -> str:
        """The machine's uv if it is as new as ours, else ours, installed with pip once."""
        pin = self._layout.uv_pin.read_text(encoding='utf-8')
        found = shutil.which('uv', path=self._env.get('PATH'))
        if found and _version_in(_output_of([found, '--version'], self._env)) >= _version_in(pin):
            return found
        stamp = self._own / 'installed.txt'
        if not stamp.is_file() or stamp.read_text(encoding='utf-8') != pin:
            note('uv')
            self._follow([sys.executable, '-m', 'venv', '--clear', str(self._own)], self._env, note)
            command = [str(self._own / 'bin' / 'python'), '-m', 'pip', 'install', '--require-hashes', '--no-input']
            command += ['--disable-pip-version-check', '--progress-bar', 'off', '-r', str(self._layout.uv_pin)]
            self._follow(command, self._env, note)
            stamp.write_text(pin, encoding='utf-8')
        return str(self._own / 'bin' / 'uv')

    def _settings(self) -> dict[str, str]:
        """The caller's variables, and where they say nothing to uv, what pip is configured with."""
        listed = ''
        for python in (sys.executable, str(self._own / 'bin' / 'python')):
            listed = listed or _output_of([python, '-m', 'pip', 'config', 'list'], self._env)
        # pip asks the system about certificates too, and takes the best that all its indexes have.
        settings = {'UV_SYSTEM_CERTS': '1', 'UV_INDEX_STRATEGY': 'unsafe-best-match'}
        # What is set for `pip install` beats what is for all commands, and a variable beats both.
        for section in ('global', 'install', ':env:'):
            for found in _PIP_SETTING.finditer(listed):
                if found['section'] == section and found['name'] in _SAME_AS_PIPS:
                    values = str(ast.literal_eval(found['value'])).split()
                    joint = ',' if found['name'] == 'find-links' else ' '
                    settings[_SAME_AS_PIPS[found['name']]] = joint.join(values)
        return {**settings, **self._env}

    def _run(self, arguments: list[str], env: Mapping[str, str], note: Callable[[str], None]) -> list[str]:
        return self._follow([self._program(note), *arguments], env, note)

    def _follow(self, command: list[str], env: Mapping[str, str], note: Callable[[str], None]) -> list[str]:
        self._layout.state.mkdir(parents=True, exist_ok=True)
        printed: list[str] = []
        with self._log.open('a', encoding='utf-8') as log:
            log.write(f'$ {" ".join(command)}\n')

            def on_line(line: str) -> None:
                printed.append(line)
                log.write(line)
                note(line.strip())

            status = follow(command, env, on_line, self._layout.state)
        if status != 0:
            raise self._explain(''.join(printed))
        return printed

    def _explain(self, printed: str) -> GremsyError:
        if 'No space left on device' in printed:
            return disk_full(self._layout.state)
        if 'ensurepip' in printed:
            return no_venv()
        if _NO_NETWORK.search(printed):
            return NoNetworkError(
                'No network: the package index cannot be reached; check the connection (or the proxy and mirror in '
                "pip's configuration: pip config list) and run ./gremsy setup again."
            )
        if 'hash mismatch' in printed.lower() or 'do not match the hashes' in printed.lower():
            return GremsyError(
                f'A downloaded package does not match its locked hash (see {self._log}): clear the caches '
                f'({self._own}/bin/uv cache clean, pip cache purge), and try again.'
            )
        if _UNKNOWN.search(printed):
            return GremsyError(
                f'The package index that pip is configured with lacks a locked package (see {self._log}): '
                'check it with pip config list.'
            )
        return GremsyError(f'uv ended with an error ({_last_of(printed)}): its whole output is in {self._log}.')


def known_groups(repository: Path) -> list[str]:
    """The names under [dependency-groups] but ROS's, which --distro chooses; Python 3.10 has no reader of TOML."""
    text = (repository / 'pyproject.toml').read_text(encoding='utf-8')
    table = text.split('\n[dependency-groups]\n')[1].split('\n[')[0]
    return sorted(re.findall(r'^(?!ros-)([\w-]+) *=', table, re.MULTILINE))


def names_in(requirements: str) -> set[str]:
    """The packages that `Uv.locked` listed."""
    return set(_NAME.findall(requirements))


def _last_of(printed: str) -> str:
    lines = [line.strip() for line in printed.splitlines()]
    return next((line for line in reversed(lines) if re.search(r'error|cause:', line, re.IGNORECASE)), 'no message')


def _output_of(command: list[str], env: Mapping[str, str]) -> str:
    try:
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False).stdout
    except OSError:
        return ''


def _version_in(text: str) -> tuple[int, ...]:
    found = re.search(r'^uv(?: |==)(\d+)\.(\d+)\.(\d+)', text, re.MULTILINE)
    return tuple(int(part) for part in found.groups()) if found else ()
