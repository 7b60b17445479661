# SPDX-License-Identifier: Apache-2.0
"""The parameters that every node of the suite has; a node's own dataclass inherits from this one."""

from __future__ import annotations

from dataclasses import dataclass

from gremsy_common.parameters.parameter_fields import param
from gremsy_common.parameters.parameter_forms import TextForm


@dataclass(frozen=True)
class NodeParameters:
    """Common to all nodes."""

    autostart: bool = param(True, doc='Configure and activate at start; false leaves both to a lifecycle manager.')
    trace_dir: str = param(
        '',
        doc="Folder for a trace of every frame's way through this node (one JSON object a line); empty for none.",
        form=TextForm.PATH,
    )
