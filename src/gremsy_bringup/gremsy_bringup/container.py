# SPDX-License-Identifier: Apache-2.0
"""The `loop` process: any set of the suite's nodes in one Python process, where frames are handed over by reference.

Components are found by entry point (group `gremsy.components`), as rclcpp components are by their plug-in index. One
with a namespace before it is put there, within the process's own:

    ros2 run gremsy_bringup container --components camera detector tracker --ros-args -r __ns:=/robot/eo
    ros2 run gremsy_bringup container --components eo/camera eo/detector ir/camera --ros-args -r __ns:=/robot
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from itertools import pairwise
from typing import Any

from gremsy_common.errors import SuiteError
from gremsy_common.ros.hosting import EXIT_MISCONFIGURED, NodeFactory, leave, run_nodes
from gremsy_common.ros.node_host import NodeHost
from gremsy_common.ros.suite_node import SuiteNode

GROUP = 'gremsy.components'
_NAMESPACE = re.compile(r'[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*')
_NAMESPACE_RULE = '__ns:='


class UnknownComponent(SuiteError):
    """No installed package offers a component of that name, or its namespace is not one."""


def parsed(word: str) -> tuple[str, str]:
    """Namespace within the process's, and component, of one word of `--components`: `camera`, or `eo/camera`.

    Raises:
        UnknownComponent: where the namespace is not one.
    """
    within, _, name = word.rpartition('/')
    if '/' in word and not _NAMESPACE.fullmatch(within):
        raise UnknownComponent(
            f"Component '{word}' is in no namespace of this process: write it as eo/camera, with letters, digits and _."
        )
    return within, name


def load_components(words: Sequence[str], process_namespace: str = '/') -> list[NodeFactory]:
    """What makes the nodes of those names, in that order.

    Raises:
        UnknownComponent: naming what is missing and what there is.
    """
    offered: dict[str, EntryPoint] = {each.name: each for each in entry_points(group=GROUP)}
    components = [parsed(word) for word in words]
    for word, (_, name) in zip(words, components, strict=True):
        if name not in offered:
            raise UnknownComponent(
                f"There is no component '{name}': installed are {', '.join(sorted(offered)) or 'none'}."
            )
        if words.count(word) > 1:
            raise UnknownComponent(f"Component '{word}' is named twice: name each once.")
    return [_factory(offered[name].load(), within, process_namespace) for within, name in components]


def process_namespace(ros_arguments: Sequence[str]) -> str:
    """Where the process's nodes are, from its `__ns` rule; rcl takes the first."""
    rules = [word for option, word in pairwise(ros_arguments) if option in ('-r', '--remap')]
    named = next((rule.removeprefix(_NAMESPACE_RULE) for rule in rules if rule.startswith(_NAMESPACE_RULE)), '/')
    return f'/{named.strip("/")}'


def _factory(node_type: Any, within: str, around: str) -> NodeFactory:
    if not within:
        return node_type

    def make(host: NodeHost) -> SuiteNode[Any]:
        # A rule of the node's own: those of the process would take all of its nodes to one place.
        with host.placing(['--ros-args', '-r', f'{_NAMESPACE_RULE}{around.rstrip("/")}/{within}']):
            return node_type(host)

    return make


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the components named on the command line; the rest goes to ROS."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog='container', description="Runs several of the suite's nodes in one process.")
    parser.add_argument(
        '--components',
        nargs='+',
        required=True,
        metavar='[NAMESPACE/]NAME',
        help='camera detector tracker, or eo/camera eo/detector ir/camera',
    )
    split = given.index('--ros-args') if '--ros-args' in given else len(given)
    options = parser.parse_args(given[:split])
    try:
        components = load_components(options.components, process_namespace(given[split:]))
    except SuiteError as error:
        print(error, file=sys.stderr)
        sys.exit(EXIT_MISCONFIGURED)
    leave(run_nodes(components, [parser.prog, *given[split:]]))


if __name__ == '__main__':
    main()
