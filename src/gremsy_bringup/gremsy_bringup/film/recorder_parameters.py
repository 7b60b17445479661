# SPDX-License-Identifier: Apache-2.0
"""The recorder's parameters."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gremsy_common.parameters.parameter_fields import NodeParameters, ParameterError, param
from gremsy_common.parameters.parameter_forms import TextForm


@dataclass(frozen=True)
class RecorderParameters(NodeParameters):
    """Which film to write."""

    path: str = param(
        'gremsy.mp4',
        doc='The MP4 to write; a number is added to the name when the file exists; `~` is the home folder.',
        form=TextForm.PATH,
    )
    rate_hz: int = param(30, unit='Hz', low=1, high=120, doc="The film's constant frame rate.")

    def check(self) -> None:
        """A film needs a name.

        Raises:
            ParameterError: for a path without one.
        """
        if Path(self.path).name in ('', '..') or self.path.endswith('/'):
            raise ParameterError(f"Parameter `path` is '{self.path}', which names no file: write one, as gremsy.mp4.")
