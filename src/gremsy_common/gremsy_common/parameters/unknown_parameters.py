# SPDX-License-Identifier: Apache-2.0
"""Parameters that were given and that nothing has: a misspelt one would be ignored without a word."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterator
from contextlib import suppress
from difflib import get_close_matches

from gremsy_common.parameters.parameter_docs import DOCUMENTED
from gremsy_common.parameters.parameter_fields import specs_of

_NEAR = 0.75
# rclpy declares these with the topics.
_OF_TOPICS = 'qos_overrides.'


def unknown_sentences(node: str, given: Collection[str], own: Collection[str], known: Collection[str]) -> Iterator[str]:
    """One sentence for each parameter that was meant for this node and is none of its.

    What stands under a wildcard (`/**`) may be another node's: it is said only where no node of the suite has it and
    this one has one of nearly that name.

    Args:
        node: full name.
        given: names of all that reached it.
        own: those of them that were given to it by its name.
        known: those that it has.
    """
    for name in sorted(set(given) - set(known)):
        near = next(iter(get_close_matches(name, known, 1, _NEAR)), None)
        if name.startswith(_OF_TOPICS) or not (name in own or (near and name not in _of_the_suite())):
            continue
        way_out = f'did you mean `{near}`?' if near else f'`ros2 param list {node}` names those that it has.'
        yield f'{node} has no parameter `{name}`, and what was given for it is not used: {way_out}'


def _of_the_suite() -> frozenset[str]:
    """Of all its nodes whose packages are installed."""
    names: set[str] = set()
    for _, _, module, kind in DOCUMENTED:
        with suppress(ImportError):
            names.update(spec.name for spec in specs_of(getattr(importlib.import_module(module), kind)))
    return frozenset(names)
