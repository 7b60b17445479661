# SPDX-License-Identifier: Apache-2.0
"""The one place that imports ONNX Runtime, because what it reports home must be off before it is imported."""

from __future__ import annotations

import importlib
import os
from typing import Any


def load_onnxruntime() -> Any:
    """The module `onnxruntime`, with its telemetry off.

    By its mere import it otherwise writes an id of this device and a queue of events for its maker into
    ~/.cache/Microsoft (seen with 1.32). Who has set ORT_DISABLE_TELEMETRY, has decided.
    """
    os.environ.setdefault('ORT_DISABLE_TELEMETRY', '1')
    return importlib.import_module('onnxruntime')
