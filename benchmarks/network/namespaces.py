# SPDX-License-Identifier: Apache-2.0
"""Hosts on one Ethernet, made of this machine: each a network namespace with a /dev/shm of its own, on a bridge.

Nothing of it is reachable from outside. A namespace lives as long as the process that holds it, which ends with ours.
"""

from __future__ import annotations

import json
import os
import queue
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from gremsy_common.errors import SuiteError

# How netem shows up, and iptables of a rule that drops at random.
_NETEM = re.compile(r'netem .*\n.*dropped (\d+)')
_RULE = re.compile(r'^ *(\d+) .*statistic mode random', re.MULTILINE)
_PROGRAMS = ('ip', 'nsenter', 'setpriv', 'unshare')
# No IPv6, whose own announcements would be counted.
_HOLD = (
    'echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6; echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6; '
    'mount -t tmpfs tmpfs /dev/shm && chmod 1777 /dev/shm && ip link set lo up && echo up && exec sleep infinity'
)
_ENDS_WITH_US = ('setpriv', '--pdeathsig', 'KILL')
_FOLDER = '/dev/shm'
_NETWORK = '10.77.0'
_LONGEST_END_S = 20.0


class NoNamespacesError(SuiteError):
    """This machine makes none, or loses no packets on request; the text says why."""


@dataclass(frozen=True, slots=True)
class InterfaceTraffic:
    """What an interface has carried."""

    received_bytes: int
    received_packets: int
    sent_bytes: int
    sent_packets: int


class HostProgram:
    """One that runs on a host."""

    def __init__(self, popen: subprocess.Popen[str]) -> None:
        self._popen = popen
        self._lines: queue.Queue[str] = queue.Queue()
        self._last = ''
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def printed(self, word: str, within_s: float = 60.0) -> bool:
        """Whether it says a line with that word in time; what it said before is skipped."""
        until = time.monotonic() + within_s
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                return False
            if word in line:
                return True

    def result(self) -> dict[str, Any]:
        """End a role of `network_roles`, and return what it sent or received."""
        assert self._popen.stdin is not None
        self._popen.stdin.write('end\n')
        self._popen.stdin.close()
        self._popen.wait(_LONGEST_END_S)
        self._reader.join(_LONGEST_END_S)
        return dict(json.loads(self._last))

    def end(self) -> None:
        """By SIGTERM, and by SIGKILL where that does not do it."""
        self.ask_to_end()
        try:
            self._popen.wait(_LONGEST_END_S)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
        self._reader.join(_LONGEST_END_S)

    def ask_to_end(self) -> None:
        """By SIGTERM."""
        self._popen.terminate()

    def _read(self) -> None:
        assert self._popen.stdout is not None
        with self._popen.stdout as lines:
            for line in lines:
                self._last = line
                self._lines.put(line)


@dataclass
class NetworkHost:
    """One of them; programs that it runs end with it."""

    name: str
    address: str
    pid: int
    _started: list[HostProgram] = field(default_factory=list)

    def run(
        self,
        argv: Sequence[str],
        variables: Mapping[str, str] | None = None,
        *,
        user: int | None = None,
    ) -> HostProgram:
        """Start a program here.

        Args:
            argv: the program and its arguments.
            variables: over those of this process.
            user: the number of whoever it runs as; None for root.
        """
        who = [] if user is None else [f'--reuid={user}', f'--regid={user}', '--clear-groups']
        words = [*self._inside(), 'env', '-C', str(Path.cwd()), *_ENDS_WITH_US, *who, *argv]
        # A folder that vanishes with the host, in which every user may write; nothing of this process's own network.
        kept = {name: value for name, value in os.environ.items() if name != 'ROS_AUTOMATIC_DISCOVERY_RANGE'}
        environment = {**kept, 'TMPDIR': _FOLDER, 'ROS_LOG_DIR': f'{_FOLDER}/log-{user}', **(variables or {})}
        popen = subprocess.Popen(words, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        program = HostProgram(popen)
        self._started.append(program)
        return program

    def lose(self, share: float) -> None:
        """Let that share of what arrives from the others be lost, at random: by netem, or by a rule of iptables."""
        percent = f'{100 * share:g}%'
        if self._try('tc', 'qdisc', 'add', 'dev', 'eth0', 'root', 'netem', 'loss', percent) == 0:
            return
        rule = ['-i', 'eth0', '-m', 'statistic', '--mode', 'random', '--probability', f'{share:g}', '-j', 'DROP']
        if shutil.which('iptables') is None or self._try('iptables', '-A', 'INPUT', *rule) != 0:
            raise NoNamespacesError('This machine loses no packets on request: neither netem nor iptables works here.')

    def lost_packets(self) -> int:
        """Of what others sent here or this host sent, as `lose` has let be lost so far."""
        counted = 0
        for words, pattern in (('tc -s qdisc show dev eth0', _NETEM), ('iptables -nvxL INPUT', _RULE)):
            if shutil.which(words.split()[0]) is not None:
                done = subprocess.run([*self._inside(), *words.split()], capture_output=True, text=True, check=False)
                counted += sum(int(each) for each in pattern.findall(done.stdout))
        return counted

    def refuse_multicast(self) -> None:
        """Neither send nor take any on the network, as many access points do."""
        for chain, way in (('INPUT', '-i'), ('OUTPUT', '-o')):
            rule = [way, 'eth0', '-d', '224.0.0.0/4', '-j', 'DROP']
            if shutil.which('iptables') is None or self._try('iptables', '-A', chain, *rule) != 0:
                raise NoNamespacesError('This machine cannot refuse multicast: there is no iptables that works.')

    def traffic(self, interface: str = 'eth0') -> InterfaceTraffic:
        """So far."""
        for line in Path(f'/proc/{self.pid}/net/dev').read_text().splitlines():
            name, found, counts = line.partition(':')
            if found and name.strip() == interface:
                numbers = [int(each) for each in counts.split()]
                return InterfaceTraffic(numbers[0], numbers[1], numbers[8], numbers[9])
        raise LookupError(f'{self.name} has no {interface}')

    def udp_addresses(self) -> set[str]:
        """The addresses at which somebody here listens."""
        found = set()
        for line in Path(f'/proc/{self.pid}/net/udp').read_text().splitlines()[1:]:
            word = line.split()[1].split(':')[0]
            found.add('.'.join(str(int(word[at : at + 2], 16)) for at in (6, 4, 2, 0)))
        return found

    def close(self) -> None:
        """End what runs here."""
        for program in self._started:
            program.ask_to_end()
        for program in self._started:
            program.end()
        self._started.clear()

    def _inside(self) -> list[str]:
        return ['nsenter', '-t', str(self.pid), '--net', '--mount', '--']

    def _try(self, *words: str) -> int:
        return subprocess.run([*self._inside(), *words], capture_output=True, check=False).returncode


class Lan:
    """The hosts by name, from entering to leaving."""

    def __init__(self, *names: str) -> None:
        self._names = names
        self._held = ExitStack()

    def __enter__(self) -> dict[str, NetworkHost]:
        """Make them.

        Raises:
            NoNamespacesError: where this process may not, or programs for it are missing.
        """
        missing = [each for each in _PROGRAMS if shutil.which(each) is None]
        if missing:
            raise NoNamespacesError(
                f'Network namespaces take {" and ".join(missing)}, which this machine does not have.'
            )
        with ExitStack() as held:
            bridge = self._hold(held)
            _run(bridge, 'ip', 'link', 'add', 'lan', 'type', 'bridge')
            _run(bridge, 'ip', 'link', 'set', 'lan', 'up')
            hosts = {}
            for number, name in enumerate(self._names, start=1):
                pid = self._hold(held)
                port = f'port{number}'
                _run(bridge, *f'ip link add {port} type veth peer name eth0 netns {pid}'.split())
                _run(bridge, *f'ip link set {port} master lan up'.split())
                _run(pid, *f'ip address add {_NETWORK}.{number}/24 dev eth0'.split())
                _run(pid, *['ip', 'link', 'set', 'eth0', 'up'])
                hosts[name] = NetworkHost(name, f'{_NETWORK}.{number}', pid)
                held.callback(hosts[name].close)
            self._held = held.pop_all()
        return hosts

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    @staticmethod
    def _hold(held: ExitStack) -> int:
        words = [*_ENDS_WITH_US, 'unshare', '--net', '--mount', 'sh', '-c', _HOLD]
        popen = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

        def end() -> None:
            popen.kill()
            popen.communicate()

        held.callback(end)
        assert popen.stdout is not None
        assert popen.stderr is not None
        if popen.stdout.readline() != 'up\n':
            reason = popen.stderr.read().strip()
            raise NoNamespacesError(f'This process may make no network namespaces ({reason}): root may.')
        return popen.pid


def _run(pid: int, *words: str) -> None:
    done = subprocess.run(['nsenter', '-t', str(pid), '--net', *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NoNamespacesError(f'`{" ".join(words)}` does not work in a network namespace ({done.stderr.strip()}).')
