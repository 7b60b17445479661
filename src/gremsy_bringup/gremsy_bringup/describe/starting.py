# SPDX-License-Identifier: Apache-2.0
"""What one start of the suite takes from this machine: a folder for parameters, ports for payload and video server.

And what its environment says of ROS's network.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

from gremsy_bringup.describe.parameter_check import refuse_wrong
from gremsy_bringup.describe.ros_network import network_of
from gremsy_bringup.describe.suite_arguments import SuiteArguments
from gremsy_bringup.describe.system_description import (
    PayloadStart,
    SystemDescription,
    describe,
    share_folder,
)
from gremsy_bringup.describe.video_server_choice import chosen_video_server
from gremsy_bringup.logs.log_writer import chosen_format
from gremsy_bringup.supervise.this_machine import SHARED_MEMORY, lack_of_shared_memory, refuse_no_loopback
from gremsy_common.claims import udp_port_claim

_PAYLOAD = PayloadStart()
_PAYLOADS_AT_ONCE = 100
# Of each process, in config/fastdds_shm.xml and fastdds_local.xml.
_SEGMENT_BYTES = 33_554_432


def _no_room_for_images(description: SystemDescription) -> tuple[str, ...]:
    """Said at the start: Fast DDS says of it that shared memory is not supported, and then images are lost."""
    network = description.network
    if not (network.shared_memory if network is not None else not description.arguments.composed):
        return ()
    wanted = len(description.processes) * _SEGMENT_BYTES
    lack = lack_of_shared_memory(wanted)
    if not lack:
        return ()
    way_out = f'`sudo mount -o remount,rw,size=512m {SHARED_MEMORY}` (in Docker `--shm-size=512m`)'
    said = f'{lack}, and the processes want {wanted / 1e6:.0f} MB to hand images over, most of which are lost without'
    return (f'{said}: {way_out}, or ROS_SHARED_MEMORY=off.',)


class Starting:
    """Held from `open` to `close`, which must be after the processes have read their parameters."""

    def __init__(self, arguments: SuiteArguments) -> None:
        self._arguments = arguments
        self._port = udp_port_claim(range(_PAYLOAD.udp_port, _PAYLOAD.udp_port + _PAYLOADS_AT_ONCE))
        self._taken = ExitStack()
        self.notices: tuple[str, ...] = ()
        """What the user should hear of this start, a sentence each."""

    def open(self) -> None:
        """Take them.

        Raises:
            NoLoopback: where this machine does not reach itself.
            NetworkError: for a variable of the network that cannot be used.
            NoFreePort: for a hundred simulated payloads on this machine.
            LogFormatError: for a word in GREMSY_LOG_FORMAT that is not a format.
        """
        refuse_no_loopback()
        self._network = network_of(os.environ)
        self._log_format = chosen_format(self._arguments.log_format, os.environ)
        if self._arguments.sim:
            self._taken.enter_context(self._port)
        # Before one of ours takes the ports.
        opens = '' if self._network is None else self._network.opens
        self._video_server, why_none = chosen_video_server(self._arguments)
        self.notices = tuple(text for text in (opens, why_none) if text)
        folder = tempfile.TemporaryDirectory(prefix='gremsy_', ignore_cleanup_errors=True)
        self.folder = Path(self._taken.enter_context(folder))
        """For what the processes read."""

    def description(self, pushed_namespace: str = '') -> SystemDescription:
        """As `describe`, with the ports that were taken.

        Raises:
            ParameterError: for a parameter file that cannot be used.
        """
        description = describe(
            self._arguments,
            payload=self._payload(),
            pushed_namespace=pushed_namespace,
            video_server=self._video_server,
            network=self._network,
            log_format=self._log_format,
        )
        self.notices += (*refuse_wrong(description), *_no_room_for_images(description))
        return description

    @property
    def variables(self) -> dict[str, str | None]:
        """What the environment of every process is to have, None for what it must not have."""
        return {} if self._network is None else self._network.variables(share_folder() / 'config', robot=True)

    def close(self) -> None:
        """Give them back."""
        self._taken.close()

    def __enter__(self) -> Starting:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _payload(self) -> PayloadStart | None:
        if not self._arguments.sim:
            return None
        first = self._port.number == _PAYLOAD.udp_port
        ring = _PAYLOAD.truth_ring if first else f'{_PAYLOAD.truth_ring}-{self._port.number}'
        return PayloadStart(self._port.number, ring)
