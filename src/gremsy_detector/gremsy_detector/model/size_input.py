# SPDX-License-Identifier: Apache-2.0
"""The second input that D-FINE's and RT-DETR's authors export: `orig_target_sizes`, width and height of the image.

The network scales its boxes by it. Told the size of its own input, it answers in pixels of that input, as every other
network here does; so it is a constant, and whoever runs the model feeds it along.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gremsy_detector.model.model_facts import ModelFacts
from gremsy_detector.model.model_metadata import image_size_px

_NAME = 'orig_target_sizes'


def without_size_input(facts: ModelFacts) -> tuple[ModelFacts, dict[str, NDArray[np.int64]]]:
    """The facts with the image as the only input, and what to feed besides: nothing, for most models.

    Raises:
        ModelError: when the image's size is left to metadata that cannot be read.
    """
    if len(facts.inputs) != 2:
        return facts, {}
    image, sizes = facts.inputs
    known = (sizes.name, sizes.dtype, len(sizes.shape)) == (_NAME, 'int64', 2) and sizes.shape[1] == 2
    if not known or len(image.shape) != 4:
        return facts, {}
    stated_height, stated_width = image_size_px(facts)
    height, width = image.shape[2:]
    height_px = height if isinstance(height, int) and height > 0 else stated_height
    width_px = width if isinstance(width, int) and width > 0 else stated_width
    return replace(facts, inputs=(image,)), {_NAME: np.array([[width_px, height_px]], np.int64)}
