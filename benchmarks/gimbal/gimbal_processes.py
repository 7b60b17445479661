# SPDX-License-Identifier: Apache-2.0
"""The driver node and a commander, each in a process of its own that may be killed."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

import rclpy
from geometry_msgs.msg import TwistStamped
from rclpy.signals import SignalHandlerOptions
from std_srvs.srv import SetBool

_NAMESPACE = '/bench'
_COMMAND_S = 0.01
_FRAME = 'bench/gimbal_level'


class _Process:
    def __init__(self, words: list[str]) -> None:
        self._popen = subprocess.Popen([sys.executable, '-m', *words], stdout=subprocess.DEVNULL)

    def terminate(self) -> None:
        """SIGTERM."""
        self._popen.terminate()

    def kill(self) -> None:
        """SIGKILL."""
        self._popen.kill()

    def end(self) -> None:
        """Whatever state it is in."""
        if self._popen.poll() is None:
            self._popen.terminate()
            try:
                self._popen.wait(5.0)
            except subprocess.TimeoutExpired:
                self._popen.kill()
        self._popen.wait()


class DriverProcess(_Process):
    """The node, on a link."""

    def __init__(self, link: str) -> None:
        words = ['gremsy_gimbal_driver.gimbal_driver_node', '--ros-args', '-r', f'__ns:={_NAMESPACE}']
        super().__init__([*words, '-p', f'link:={link}', '--log-level', 'error'])


class Commander(_Process):
    """Arms the driver and asks for one rate, 100 times a second."""

    def __init__(self, rate_rad_s: float) -> None:
        super().__init__([__name__, '--rate', str(rate_rad_s)])


class _Endable(Protocol):
    def end(self) -> None: ...


E = TypeVar('E', bound=_Endable)


@contextmanager
def ending(process: E) -> Iterator[E]:
    """The process, ended on the way out."""
    try:
        yield process
    finally:
        process.end()


def _command(rate_rad_s: float) -> None:
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node = rclpy.create_node('commander', namespace=_NAMESPACE)
    arm = node.create_client(SetBool, 'gimbal_driver/arm')
    publisher = node.create_publisher(TwistStamped, 'gimbal/setpoint', 10)
    arm.wait_for_service()
    armed = False
    while not armed:
        future = arm.call_async(SetBool.Request(data=True))
        rclpy.spin_until_future_complete(node, future, timeout_sec=1.0)
        armed = future.done() and future.result().success

    def send() -> None:
        message = TwistStamped()
        message.header.stamp = node.get_clock().now().to_msg()
        message.header.frame_id = _FRAME
        message.twist.angular.z = rate_rad_s
        publisher.publish(message)

    node.create_timer(_COMMAND_S, send)
    rclpy.spin(node)


if __name__ == '__main__':
    parser = argparse.ArgumentParser()
    parser.add_argument('--rate', type=float, required=True)
    _command(parser.parse_args().rate)
