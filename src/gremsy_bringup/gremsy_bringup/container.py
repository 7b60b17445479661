# SPDX-License-Identifier: Apache-2.0
"""The `loop` process: any set of the suite's nodes in one Python process, where frames are handed over by reference.

Components are found by entry point (group `gremsy.components`), as rclcpp components are by their plug-in index:

    ros2 run gremsy_bringup container --components camera detector tracker --ros-args --params-file gremsy.yaml
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points

from gremsy_common.errors import SuiteError
from gremsy_common.ros.hosting import EXIT_MISCONFIGURED, NodeFactory, run_nodes

GROUP = 'gremsy.components'


class UnknownComponent(SuiteError):
    """No installed package offers a component of that name."""


def load_components(names: Sequence[str]) -> list[NodeFactory]:
    """The node classes of those names, in that order.

    Raises:
        UnknownComponent: naming what is missing and what there is.
    """
    offered: dict[str, EntryPoint] = {each.name: each for each in entry_points(group=GROUP)}
    for name in names:
        if name not in offered:
            raise UnknownComponent(
                f"There is no component '{name}': installed are {', '.join(sorted(offered)) or 'none'}."
            )
        if names.count(name) > 1:
            raise UnknownComponent(f"Component '{name}' is named twice: name each once.")
    return [offered[name].load() for name in names]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the components named on the command line; the rest goes to ROS."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog='container', description="Runs several of the suite's nodes in one process.")
    parser.add_argument('--components', nargs='+', required=True, metavar='NAME', help='camera detector tracker ...')
    split = given.index('--ros-args') if '--ros-args' in given else len(given)
    options = parser.parse_args(given[:split])
    try:
        components = load_components(options.components)
    except SuiteError as error:
        print(error, file=sys.stderr)
        sys.exit(EXIT_MISCONFIGURED)
    sys.exit(run_nodes(components, [parser.prog, *given[split:]]))


if __name__ == '__main__':
    main()
