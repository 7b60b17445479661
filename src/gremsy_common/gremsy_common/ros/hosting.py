# SPDX-License-Identifier: Apache-2.0
"""The main function of every process that runs nodes: start, wait for the signal, stop in order, exit status.

0: stopped by a signal. 1: it broke while running. 2: it could not start as configured; starting it again the same way
cannot help, so a supervisor should not.
"""

from __future__ import annotations

import signal
import sys
import textwrap
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import cv2
import rclpy
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args

from gremsy_common.errors import SuiteError, one_line
from gremsy_common.parameters.parameter_docs import yaml_value
from gremsy_common.parameters.parameter_fields import specs_of
from gremsy_common.ros.node_host import NodeHost
from gremsy_common.ros.suite_node import SuiteNode

NodeFactory = Callable[[NodeHost], SuiteNode[Any]]

EXIT_STOPPED = 0
EXIT_BROKEN = 1
EXIT_MISCONFIGURED = 2


def run_nodes(factories: Sequence[NodeFactory], arguments: Sequence[str] | None = None) -> int:
    """Run the nodes in this process until SIGINT or SIGTERM; the exit status."""
    stop = threading.Event()
    _share_the_cores()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    # rclpy's own handlers invalidate the context before anybody could send a last zero-rate burst.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    try:
        rclpy.init(
            args=list(arguments) if arguments is not None else None, signal_handler_options=SignalHandlerOptions.NO
        )
    except Exception as error:  # noqa: BLE001 rcl raises several unrelated types for arguments it cannot read
        return _say(EXIT_MISCONFIGURED, f'ROS 2 does not accept these arguments: {_first_line(error)}')
    host = NodeHost()
    nodes: list[SuiteNode[Any]] = []
    status = EXIT_STOPPED
    try:
        for factory in factories:
            nodes.append(factory(host))
        for node in nodes:
            if stop.is_set():
                break
            node.start()
            if node.finished:
                stop.set()
        host.start(nodes, on_crash=stop.set)
        while not stop.wait(timeout=1.0):  # a bare wait() would not let Python's signal handlers run everywhere
            continue
        if host.crash is not None:
            status = _say(EXIT_BROKEN, f'The executor ended: {type(host.crash).__name__}: {host.crash}')
    except Exception as error:  # noqa: BLE001 nobody who set a parameter wrongly should have to read a traceback
        status = _say(EXIT_MISCONFIGURED, str(error) if isinstance(error, SuiteError) else _cannot_start(error))
    finally:
        host.stop()
        for node in reversed(nodes):
            node.close()
        host.shutdown()
        rclpy.shutdown()
    return status


def run_node(
    node_type: type[SuiteNode[Any]], arguments: Sequence[str] | None = None, factory: NodeFactory | None = None
) -> None:
    """`main` of a node's own executable: never returns.

    Args:
        node_type: the node.
        arguments: of the command line, the program's name first; None takes sys.argv.
        factory: makes the node, where its type takes more than the host.
    """
    given = sys.argv if arguments is None else arguments
    program, *words = given
    name = Path(program).stem
    try:
        own = remove_ros_args(words)
    except Exception:  # noqa: BLE001 run_nodes has the sentence for arguments that rcl cannot read
        own = []
    if {'-h', '--help'} & set(own):
        print(node_usage(name, node_type))
        sys.exit(0)
    if own:
        sys.exit(
            _say(
                EXIT_MISCONFIGURED,
                f"{name} takes no argument '{own[0]}': parameters are given as --ros-args -p NAME:=VALUE, "
                '--help lists them.',
            )
        )
    sys.exit(run_nodes([factory or node_type], given))


def node_usage(program: str, node_type: type[SuiteNode[Any]]) -> str:
    """What `--help` prints: how parameters are given, and each with unit, range and default."""
    lines = [
        f'usage: {program} [--ros-args [-p NAME:=VALUE ...] [--params-file FILE] [-r __ns:=/robot/eo]]',
        '',
        f'The node `{node_type.node_name}`. Its parameters, with their defaults:',
    ]
    for spec in specs_of(node_type.parameters_type):
        notes = ', '.join(part for part in (spec.meta.unit, spec.meta.range_text) if part)
        lines += ['', f'  {spec.name}:={yaml_value(spec.default)}{f" [{notes}]" if notes else ""}']
        lines += textwrap.wrap(spec.meta.doc, 92, initial_indent='      ', subsequent_indent='      ')
    return '\n'.join(lines)


def _share_the_cores() -> None:
    """Settings of the whole process that keep one node's work out of another's way."""
    # A thread that waits for the interpreter gets it after this long at the latest; the default of 5 ms is as long as
    # everything that the loop adds to a frame may take.
    sys.setswitchinterval(0.0001)
    # OpenCV's pool would spread a 3 ms resize or view over every core and so interrupt the detector on each of them.
    cv2.setNumThreads(1)


def _say(status: int, sentence: str) -> int:
    print(sentence, file=sys.stderr, flush=True)
    return status


def _cannot_start(error: Exception) -> str:
    return f'This cannot start as it is configured: {one_line(error)}.'


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
