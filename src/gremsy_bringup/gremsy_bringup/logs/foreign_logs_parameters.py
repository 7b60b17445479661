# SPDX-License-Identifier: Apache-2.0
"""The parameters of the node that repeats what other nodes log."""

from __future__ import annotations

from dataclasses import dataclass

from gremsy_common.parameters.parameter_fields import NodeParameters, ParameterError, live_param


@dataclass(frozen=True)
class ForeignLogsParameters(NodeParameters):
    """Whose logs are repeated."""

    left_out: tuple[str, ...] = live_param(
        (),
        'Namespaces or nodes whose logs are not repeated, such as `/robot2` for another robot in the same '
        'domain, which has its own log.',
        example="['/robot2']",
    )

    def check(self) -> None:
        """Full names.

        Raises:
            ParameterError: for one that does not begin with a slash.
        """
        for name in self.left_out:
            if not name.strip('/') or not name.startswith('/'):
                raise ParameterError(f"Parameter `left_out` has '{name}': write full names, such as /robot2.")

    def leaves_out(self, logger: str) -> bool:
        """Whether a logger (`robot2.eo.camera`) is of one of them."""
        names = (name.strip('/').replace('/', '.') for name in self.left_out)
        return any(logger == name or logger.startswith(f'{name}.') for name in names)
