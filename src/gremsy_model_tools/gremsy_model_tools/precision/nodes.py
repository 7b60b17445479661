# SPDX-License-Identifier: Apache-2.0
"""Operators and constants, added one after the other under names of their own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np


class Nodes:
    """Collects the nodes and constants of a graph, or of an addition to one."""

    def __init__(self, onnx: Any, prefix: str, taken: Iterable[str] = ()) -> None:
        """Names begin with the prefix, which is made longer where one that is taken begins with it too."""
        while any(name.startswith(prefix) for name in taken):
            prefix += '_'
        self._onnx = onnx
        self._prefix = prefix
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, operator: str, *inputs: Any, outputs: int = 1, **attributes: Any) -> Any:
        """The name of what an operator makes, or a list of them; an input that is not a name becomes a constant."""
        number = len(self.nodes)
        names = [f'{self._prefix}_{number}_{index}' for index in range(outputs)]
        given = [each if isinstance(each, str) else self.constant(each) for each in inputs]
        self.nodes.append(self._onnx.helper.make_node(operator, given, names, name=names[0], **attributes))
        return names[0] if outputs == 1 else names

    def chain(self, source: str, steps: Iterable[tuple[str, Any, dict[str, Any]]]) -> str:
        """The name of what several make, one after the other: operator, constant input or None, attributes."""
        for operator, constant, attributes in steps:
            source = self.add(operator, source, *(() if constant is None else (constant,)), **attributes)
        return source

    def constant(self, value: Any) -> str:
        """Its name."""
        name = f'{self._prefix}_constant_{len(self.constants)}'
        self.constants.append(self._onnx.numpy_helper.from_array(np.asarray(value), name))
        return name
