# SPDX-License-Identifier: Apache-2.0
"""What the supervisor knows about a process: how to start it, when to restart it, in which order to stop it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# The exit status with which a suite process says "my configuration is wrong, starting me again will not help".
# It is also what argparse uses for a wrong command line, which is the same case.
CONFIGURATION_ERROR_STATUS = 2
# In the environment of a process that is started again: a sentence that says why. As `hosting.STARTED_AGAIN_VARIABLE`;
# not imported, since that would load ROS.
STARTED_AGAIN_VARIABLE = 'GREMSY_STARTED_AGAIN'


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """When a process that ended by itself is started again.

    The delay grows by `factor` with every start that does not last `healthy_after_s`, up to `longest_delay_s`.
    """

    respawn: bool = True
    first_delay_s: float = 0.5
    factor: float = 2.0
    longest_delay_s: float = 10.0
    healthy_after_s: float = 10.0


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """One process of the suite.

    Attributes:
        name: what its lines of output are prefixed with.
        argv: program and arguments.
        env: added to (and winning over) the supervisor's own environment.
        restart: see `RestartPolicy`.
        stop_rank: processes stop in ascending rank; one rank has ended before the next is asked.
        grace_s: from SIGTERM to SIGKILL.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    restart: RestartPolicy = RestartPolicy()
    stop_rank: int = 0
    grace_s: float = 5.0


class Backoff:
    """The delay before each restart of one process under a `RestartPolicy`."""

    def __init__(self, policy: RestartPolicy) -> None:
        self._policy = policy
        self._next_s = policy.first_delay_s

    def delay_s(self, lived_s: float) -> float:
        """How long to wait now that the process ended after `lived_s`."""
        if lived_s >= self._policy.healthy_after_s:
            self._next_s = self._policy.first_delay_s
        delay = self._next_s
        self._next_s = min(self._policy.longest_delay_s, self._next_s * self._policy.factor)
        return delay
