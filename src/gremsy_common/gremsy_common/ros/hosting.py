# SPDX-License-Identifier: Apache-2.0
"""The main function of every process that runs nodes: start, wait for the signal, stop in order, exit status.

0: stopped by a signal. 1: it broke while running. 2: it could not start as configured; starting it again the same way
cannot help, so a supervisor should not.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import textwrap
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import cv2
import rclpy
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args

from gremsy_common.errors import SuiteError, one_line
from gremsy_common.parameters.parameter_docs import yaml_value
from gremsy_common.parameters.parameter_fields import ParameterError, specs_of
from gremsy_common.parameters.parameter_sections import refuse_unreadable
from gremsy_common.programs import stop_by_signals
from gremsy_common.ros.node_host import NodeHost
from gremsy_common.ros.suite_node import SuiteNode

NodeFactory = Callable[[NodeHost], SuiteNode[Any]]

EXIT_STOPPED = 0
EXIT_BROKEN = 1
EXIT_MISCONFIGURED = 2
# In the environment, by whoever starts processes again: a sentence that says why.
STARTED_AGAIN_VARIABLE = 'GREMSY_STARTED_AGAIN'
# Closing a recording and stopping a gimbal take much less.
_STUCK_GRACE_S = 1.5
# From malloc.h; 32 MiB is the most that glibc takes for the first, and holds a 4K bgr8 picture (24.9 MB).
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST_KEPT_BYTES = 32 << 20
_KEPT_BYTES = 128 << 20


def run_nodes(factories: Sequence[NodeFactory], arguments: Sequence[str] | None = None) -> int:
    """Run the nodes in this process until SIGINT or SIGTERM; the exit status."""
    stop = threading.Event()
    prepare_process()
    # rclpy's own handlers invalidate the context before anybody could send a last zero-rate burst.
    stop_by_signals(stop.set)
    given = sys.argv if arguments is None else arguments
    try:
        refuse_unreadable(given)
        rclpy.init(args=list(given), signal_handler_options=SignalHandlerOptions.NO)
    except ParameterError as error:
        return _report(EXIT_MISCONFIGURED, str(error))
    except Exception as error:  # noqa: BLE001 rcl raises several unrelated types for arguments it cannot read
        return _report(EXIT_MISCONFIGURED, f'ROS 2 does not accept these arguments: {_first_line(error)}')
    host = NodeHost(given, alone=len(factories) == 1)
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
        if why_again := os.environ.get(STARTED_AGAIN_VARIABLE):
            # What an operator saw go away for a moment has its reason in the diagnostics.
            for node in nodes:
                node.diagnostics.note_error(why_again)
        host.start(nodes, on_crash=stop.set)
        while host.refusal is None and not stop.wait(
            timeout=1.0
        ):  # a bare wait() would not let Python's signal handlers run everywhere
            continue
        status = _status_of(host, nodes)
    except Exception as error:  # noqa: BLE001 who set a parameter wrong should not have to read a traceback
        otherwise = f'This cannot start as it is configured: {one_line(error)}.'
        status = _report(EXIT_MISCONFIGURED, str(error) if isinstance(error, SuiteError) else otherwise)
    finally:
        host.stop()
        for node in reversed(nodes):
            node.close()
        host.shutdown()
        rclpy.shutdown()
    return status


def _status_of(host: NodeHost, nodes: Sequence[SuiteNode[Any]]) -> int:
    """Why it ended, printed; a process that is stuck ends here."""
    if host.stuck is not None:
        _end_stuck(host, nodes, *host.stuck)
    if host.refusal is not None:
        return _report(EXIT_MISCONFIGURED, str(host.refusal))
    if host.crash is not None:
        return _report(EXIT_BROKEN, f'The executor ended: {type(host.crash).__name__}: {host.crash}')
    return EXIT_STOPPED


def _end_stuck(host: NodeHost, nodes: Sequence[SuiteNode[Any]], stuck: object, sentence: str) -> NoReturn:
    """End a process of which one node is stuck in a library: the others in order, as far as they do it in time.

    No ordinary end: it would wait for the thread that is stuck.
    """
    _report(EXIT_BROKEN, sentence)
    last_way_out = threading.Timer(_STUCK_GRACE_S, os._exit, (EXIT_BROKEN,))
    last_way_out.daemon = True
    last_way_out.start()
    host.stop()
    for node in reversed(nodes):
        if node is not stuck:
            node.close()
    os._exit(EXIT_BROKEN)


def leave(status: int) -> NoReturn:
    """End the process with that status, whatever signal still comes.

    Ctrl-C reaches a child of `ros2 launch` twice, by the terminal and by launch, and while Python ends it takes its
    handlers back: the second one would make a process that has stopped in order look as if it had died.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    sys.exit(status)


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
            _report(
                EXIT_MISCONFIGURED,
                f"{name} takes no argument '{own[0]}': parameters are given as --ros-args -p NAME:=VALUE, "
                '--help lists them.',
            )
        )
    leave(run_nodes([factory or node_type], given))


def node_usage(program: str, node_type: type[SuiteNode[Any]]) -> str:
    """What `--help` prints: how parameters are given, and each with unit, range and default."""
    lines = [
        f'usage: {program} [--ros-args [-p NAME:=VALUE ...] [--params-file FILE] [-r __ns:=/robot/eo]]',
        '',
        f'The node `{node_type.node_name}`. Its parameters, with their defaults:',
    ]
    for spec in specs_of(node_type.parameters_type):
        notes = ', '.join(spec.meta.notes)
        lines += ['', f'  {spec.name}:={yaml_value(spec.default)}{f" [{notes}]" if notes else ""}']
        lines += textwrap.wrap(spec.meta.doc, 92, initial_indent='      ', subsequent_indent='      ')
    return '\n'.join(lines)


def prepare_process() -> None:
    """Settings of the whole process: its threads stay out of each other's way, and memory for pictures is kept."""
    # A thread that waits for the interpreter gets it after this long at the latest; the default of 5 ms is as long as
    # everything that the loop adds to a frame may take.
    sys.setswitchinterval(0.0001)
    # OpenCV's pool would spread a 3 ms resize or view over every core and so interrupt the detector on each of them.
    cv2.setNumThreads(1)
    _keep_memory_for_pictures()


def _keep_memory_for_pictures() -> None:
    """Let what one picture leaves be the next one's memory.

    glibc takes what is larger than 128 kB afresh from the kernel and gives it back, whose pages are then cleared one by
    one: of the 14.3 ms that a 1080p image took from one process to another, 8.4 were that.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return  # no glibc; it is only slower
    mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT_BYTES)
    mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def _report(status: int, sentence: str) -> int:
    print(sentence, file=sys.stderr, flush=True)
    return status


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
