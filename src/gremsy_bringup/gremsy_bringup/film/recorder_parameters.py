# SPDX-License-Identifier: Apache-2.0
"""The recorder's parameters."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gremsy_common.parameters.parameter_fields import NodeParameters, ParameterError, Span, param
from gremsy_common.parameters.parameter_forms import TextForm


@dataclass(frozen=True)
class RecorderParameters(NodeParameters):
    """Which film to write."""

    path: str = param(
        'gremsy.mp4',
        'MP4 file to write; a number is added to its name if the file exists; `~` is the home folder.',
        form=TextForm.PATH,
    )
    rate_hz: int = param(30, 'Constant frame rate of the film.', Span(1, 120, 'Hz'))

    def check(self) -> None:
        """Refuse a path without a file name.

        Raises:
            ParameterError: for a path without one.
        """
        if Path(self.path).name in ('', '..') or self.path.endswith('/'):
            raise ParameterError(
                f"Parameter `path` is '{self.path}', which names no file: give one, such as gremsy.mp4."
            )
