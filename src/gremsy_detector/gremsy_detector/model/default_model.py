# SPDX-License-Identifier: Apache-2.0
"""Where the model is that the package ships, and what `model` means."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from gremsy_common.parameters.parameter_forms import path_complaint
from gremsy_detector.errors import ModelError

DEFAULT = 'default'
FILE_NAME = 'nanodet_g_416.onnx'
SHA256 = '69110f935d0e90d460034984102108badc4f5e9c7d567cafdc0df84ffc11db5a'


def default_model_path() -> Path:
    """The shipped NanoDet-g, COCO classes, 416x416 (its licence: `shipped/NOTICE`)."""
    return Path(str(resources.files('gremsy_detector.model').joinpath('shipped', FILE_NAME)))


def model_path(model: str) -> Path:
    """The file that parameter `model` means: `default` is the shipped one, `~` is the home folder.

    Raises:
        ModelError: for what is no path.
    """
    if model == DEFAULT:
        return default_model_path()
    wrong = path_complaint(model)
    if wrong:
        raise ModelError(f"Model file '{model[:100]}' {wrong}.")
    return Path(model).expanduser()
