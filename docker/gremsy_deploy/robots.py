# SPDX-License-Identifier: Apache-2.0
"""One robot: brings it a release and has its own agent (docker/robot/agent) do the rest."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from gremsy_deploy.releases import SHARED, Release
from gremsy_deploy.remotes import OnLine, Remote, RemoteResult

# Sent with each release. A release is there from the rename on, and a part of one is none; the agent beside it is
# replaced by a rename too, so that whoever runs the old one goes on with it.
_STAGE = """
set -eu
mkdir -p "$1" && cd "$1"
mkdir -p releases state
for each in {shared}; do mkdir -p "shared/$each"; done
if [ -d "releases/$2" ]; then
  cat >/dev/null
else
  part=releases/.part-$2-$$
  rm -rf "$part" && mkdir "$part"
  tar -xmf - -C "$part"
  [ -f "$part/release.env" ]
  find "$part" -type f -exec sync {{}} +
  sync "$part"
  mv -T "$part" "releases/$2"
  sync releases
fi
cp "releases/$2/agent" agent.new && sync agent.new && mv -f agent.new agent && sync .
""".format(shared=' '.join(SHARED))
_STAGE_S = 120.0
_STATUS_S = 60.0
# What the agent may take at most besides waiting for readiness: the pull (1800 s) and each of its steps.
_UP_S = 3600.0
_SWITCH_S = 180.0
_AGENT_WORDS = {0: 'done', 1: 'failed', 2: 'broken', 3: 'busy', 4: 'not ready'}


class End(Enum):
    """How a robot came out of it."""

    DONE = 'done'
    # The release before it runs.
    FAILED = 'failed'
    # A person, the next boot or `deploy recover` must see to it.
    BROKEN = 'broken'
    BUSY = 'busy'
    # It is what runs now, and was not ready in time.
    UNREADY = 'not ready'
    # The connection was lost; the robot goes on by itself.
    LOST = 'lost'
    SKIPPED = 'not tried'


@dataclass(frozen=True)
class Report:
    """The end of one command on one robot."""

    robot: str
    end: End
    words: str = ''


@dataclass(frozen=True)
class DeploymentStatus:
    """What runs on a robot; empty for nothing, or unknown."""

    robot: str
    reached: bool
    current: str = ''
    previous: str = ''
    # FROM TO of a switch that was interrupted.
    interrupted: str = ''
    ready: str = ''
    last: str = ''
    free_mb: str = ''


class DeployedRobot:
    def __init__(self, name: str, folder: str, remote: Remote, on_line: OnLine) -> None:
        self.name = name
        self._folder = folder
        self._remote = remote
        self._on_line = on_line

    def up(self, release: Release, ready_s: int, need: str) -> Report:
        staged = self._remote.run(
            ['sh', '-c', _STAGE, 'stage', self._folder, release.name],
            given=release.archive(),
            timeout_s=_STAGE_S,
            on_line=self._on_line,
        )
        if staged.status != 0:
            return Report(self.name, End.LOST if staged.status is None else End.FAILED, _last_line(staged))
        return self._agent('up', release.name, str(ready_s), need, timeout_s=_UP_S + 2 * ready_s)

    def rollback(self, ready_s: int, need: str) -> Report:
        return self._agent('rollback', str(ready_s), need, timeout_s=_SWITCH_S + 2 * ready_s)

    def recover(self) -> Report:
        return self._agent('recover', timeout_s=_SWITCH_S)

    def status(self) -> DeploymentStatus:
        outcome = self._remote.run(
            ['sh', f'{self._folder}/agent', self._folder, 'status'],
            given=b'',
            timeout_s=_STATUS_S,
            on_line=lambda _line: None,
        )
        if outcome.status is None:
            return DeploymentStatus(self.name, reached=False, ready=_last_line(outcome))
        fields = dict(line.split('=', 1) for line in outcome.lines if '=' in line)
        return DeploymentStatus(
            robot=self.name,
            reached=True,
            current=fields.get('current', ''),
            previous=fields.get('previous', ''),
            interrupted=fields.get('switch', ''),
            ready=fields.get('ready', ''),
            last=fields.get('last', ''),
            free_mb=fields.get('free_mb', ''),
        )

    def _agent(self, *arguments: str, timeout_s: float) -> Report:
        outcome = self._remote.run(
            ['sh', f'{self._folder}/agent', self._folder, *arguments],
            given=b'',
            timeout_s=timeout_s,
            on_line=self._on_line,
        )
        if outcome.status is None:
            return Report(self.name, End.LOST, 'the connection was lost; the robot goes on by itself: `deploy status`')
        return Report(self.name, End(_AGENT_WORDS.get(outcome.status, 'broken')), _last_line(outcome))


def _last_line(outcome: RemoteResult) -> str:
    words = [line for line in outcome.lines if line and not line.startswith('step ')]
    return words[-1] if words else ''
