# SPDX-License-Identifier: Apache-2.0
"""One plug of the device, as it sees it: frames in, messages out, and whether anybody has spoken there."""

from __future__ import annotations

from gremsy_gimbal_driver.mavlink.mavlink_dialect import CHECKSUM_EXTRA
from gremsy_gimbal_driver.mavlink.mavlink_framing import Framer, MavlinkFrame
from gremsy_gimbal_sim.options.options_link import LinkOptions
from gremsy_gimbal_sim.wire.wire import Wire


class Plug:
    """A UART or a socket of the device.

    Args:
        options: the link's.
        seeds: of the incoming and of the outgoing wire.
        speaks_first: a real one is silent until it hears a heartbeat there (gimbal.md 1.2).
    """

    def __init__(
        self, options: LinkOptions, seeds: tuple[int | list[int], int | list[int]], speaks_first: bool
    ) -> None:
        self.incoming = Wire(options, seeds[0])
        self.outgoing = Wire(options, seeds[1])
        self.talking = self._speaks_first = speaks_first
        self.plugged = True
        self._datagram = False
        self._framer = Framer(CHECKSUM_EXTRA)

    def written(self, data: bytes, now_s: float, datagram: bool) -> None:
        """The other side wrote this."""
        self._datagram = datagram
        if self.plugged:
            self.incoming.put(data, now_s, datagram)

    def frames(self, now_s: float) -> list[tuple[float, MavlinkFrame]]:
        """Whole frames that have arrived, each with its time."""
        arrived = self.incoming.take(now_s)
        if not arrived:
            return []
        return [(at_s, frame) for at_s, data in arrived for frame in self._framer.feed(data, self._datagram)]

    def send(self, messages: list[bytes], now_s: float) -> None:
        """To the other side, if anybody has spoken there."""
        if self.plugged and self.talking:
            for message in messages:
                self.outgoing.put(message, now_s, self._datagram)

    def read(self, now_s: float) -> list[bytes]:
        """What the other side gets by now."""
        return [data for _, data in self.outgoing.take(now_s)]

    def pull(self) -> None:
        """Unplug: nothing goes through, and what is under way is lost."""
        self.plugged = False
        self.incoming.clear()
        self.outgoing.clear()
        self._framer.reset()

    def restart(self) -> None:
        """The device went down: half-received frames are forgotten, and so is whoever spoke."""
        self.incoming.clear()
        self._framer.reset()
        self.talking = self._speaks_first
