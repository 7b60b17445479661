# SPDX-License-Identifier: Apache-2.0
"""The command lines of `./gremsy topics | echo | rate | publish | call | param | log-level`.

The standard library alone, so that help needs nothing set up.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence

DESCRIPTIONS = {
    'topics': 'Lists the topics, or the services, of the nodes that run.',
    'echo': 'Prints the messages of a topic.',
    'rate': 'Shows how often messages come on a topic.',
    'publish': 'Publishes one message, or one again and again, on a topic that a node listens to.',
    'call': 'Calls a service.',
    'param': "Shows, describes or changes a node's parameters while it runs.",
    'log-level': 'Shows or changes what a node logs while it runs.',
}

# As rcl_interfaces/msg/LoggerLevel numbers them.
LOG_LEVELS = {'default': 0, 'debug': 10, 'info': 20, 'warn': 30, 'error': 40, 'fatal': 50}


def overview() -> str:
    """What there is, for who names none."""
    width = max(map(len, DESCRIPTIONS))
    lines = [f'  {name:{width}}  {text}' for name, text in DESCRIPTIONS.items()]
    return '\n'.join(['usage: ask COMMAND [ARGUMENTS]', '', *lines, '', 'ask COMMAND --help says more.'])


def parser(name: str) -> argparse.ArgumentParser:
    """The command line of one of the commands."""
    made = argparse.ArgumentParser(prog=f'./gremsy {name}', description=DESCRIPTIONS[name])
    _ADD[name](made)
    made.add_argument(
        '--timeout', type=_seconds, default=5.0, metavar='S', help='how long to wait for what is asked (default: 5)'
    )
    return made


def type_and_values(words: Sequence[str]) -> tuple[str | None, str]:
    """The type, where it is said (`geometry_msgs/msg/Twist`, as ros2 wants it), and the fields as YAML.

    Raises:
        ValueError: too many words: the YAML needs quotes.
    """
    rest = list(words)
    kind = rest.pop(0) if rest and re.fullmatch(r'[a-z]\w*(/\w+){1,2}', rest[0]) else None
    if len(rest) > 1:
        raise ValueError(f'"{rest[1]}" is too much: put the fields into one pair of quotes, "{{data: true}}".')
    return kind, rest[0] if rest else ''


def _topics(made: argparse.ArgumentParser) -> None:
    made.add_argument('part', nargs='?', default='', metavar='PART', help='only names with this in them')
    made.add_argument('--services', action='store_true', help='services instead of topics')


def _echo(made: argparse.ArgumentParser) -> None:
    made.add_argument('topic', metavar='TOPIC')
    made.add_argument('--once', action='store_true', help='one message and end')
    made.add_argument('--count', type=_count, metavar='N', help='N messages and end')
    made.add_argument('--full', action='store_true', help='long lists whole, not their first 32 items')


def _rate(made: argparse.ArgumentParser) -> None:
    made.add_argument('topic', metavar='TOPIC')
    made.add_argument('--count', type=_count, metavar='N', help='N lines, one a second, and end')


def _publish(made: argparse.ArgumentParser) -> None:
    made.add_argument('topic', metavar='TOPIC')
    made.add_argument('words', nargs='*', metavar='[TYPE] YAML', help='fields: "{point: {x: 320, y: 240}}"')
    made.add_argument('-1', '--once', action='store_true', help='once, which is so without --rate too')
    made.add_argument('-r', '--rate', type=_seconds, metavar='HZ', help='again and again until Ctrl-C')


def _call(made: argparse.ArgumentParser) -> None:
    made.add_argument('service', metavar='SERVICE')
    made.add_argument('words', nargs='*', metavar='[TYPE] YAML', help='fields of the request: "{data: true}"')


def _param(made: argparse.ArgumentParser) -> None:
    made.add_argument('what', choices=('list', 'describe', 'get', 'set'))
    made.add_argument('node', metavar='NODE')
    made.add_argument('name', nargs='?', metavar='PARAMETER')
    made.add_argument('value', nargs='?', metavar='VALUE')


def _log_level(made: argparse.ArgumentParser) -> None:
    made.add_argument('node', metavar='NODE', help='/robot/eo/tracker')
    made.add_argument(
        'level',
        nargs='?',
        choices=LOG_LEVELS,
        metavar='LEVEL',
        help=f"what it logs from now on, at least: {', '.join(LOG_LEVELS)} (default: its process's); "
        'without it the present one is shown',
    )


_ADD = {
    'topics': _topics,
    'echo': _echo,
    'rate': _rate,
    'publish': _publish,
    'call': _call,
    'param': _param,
    'log-level': _log_level,
}


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0.0 < number < 1e6:
        raise argparse.ArgumentTypeError(f"must be a positive number, not '{text}'")
    return number


def _count(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, not '{text}'")
    return number
