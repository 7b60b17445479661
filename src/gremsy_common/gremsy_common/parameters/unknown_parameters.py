# SPDX-License-Identifier: Apache-2.0
"""Parameters that were given and that nothing has: a misspelt one would be ignored without a word."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from typing import Any

from gremsy_common.errors import did_you_mean, near_to
from gremsy_common.parameters.parameter_docs import DOCUMENTED
from gremsy_common.parameters.parameter_fields import specs_of

_OF_TOPICS = 'qos_overrides.'
_TRUTHS_OF_RCLPY = ('use_sim_time', 'start_type_description_service')


def is_of_rclpy(name: str) -> bool:
    """Whether rclpy declares it, for every node or with its topics."""
    return is_truth_of_rclpy(name) or name.startswith(_OF_TOPICS)


def is_truth_of_rclpy(name: str) -> bool:
    """Whether it is one of those that are true or false."""
    return name in _TRUTHS_OF_RCLPY


def unknown_sentences(node: str, given: Collection[str], own: Collection[str], known: Collection[str]) -> Iterator[str]:
    """One sentence for each parameter that was meant for this node and is none of its.

    What stands under a wildcard (`/**`) may be another node's: it is reported only where no node of the suite has it
    and this one has one of nearly that name.

    Args:
        node: full name.
        given: names of all that reached it.
        own: those of them that were given to it by its name.
        known: those that it has.
    """
    for name in sorted(set(given) - set(known)):
        near = near_to(name, known)
        if is_of_rclpy(name) or not (name in own or (near and name not in _of_the_suite())):
            continue
        way_out = did_you_mean(name, known, f'`ros2 param list {node}` names those that it has.')
        yield f'{node} has no parameter `{name}`, and what was given for it is not used: {way_out}'


def suite_nodes() -> Mapping[str, type[Any]]:
    """The parameters of each of its nodes, by the node's name, whose package is installed."""
    found: dict[str, type[Any]] = {}
    for _, node, module, kind in DOCUMENTED:
        with suppress(ImportError):
            found[node] = getattr(importlib.import_module(module), kind)
    return found


def _of_the_suite() -> frozenset[str]:
    return frozenset(spec.name for kind in suite_nodes().values() for spec in specs_of(kind))
