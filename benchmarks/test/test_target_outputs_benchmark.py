# SPDX-License-Identifier: Apache-2.0
"""What the tracker tells others, against the truth of the simulated payload on a vehicle that sways."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip('gremsy_tracker', reason='the workspace is not built: run ./gremsy setup')

from benchmarks.loop.target_outputs import watch


def test_bearing_and_position_are_those_of_the_payloads_truth() -> None:
    told = watch(1, 'ground', 4.0)
    assert len(told) > 20
    # The vehicle sways by 5 degrees, his box by a tenth of one.
    errors_deg = [math.degrees(each.bearing_error_rad) for each in told]
    assert math.sqrt(np.mean(np.square(errors_deg))) < 0.15
    normalised = [each.position_normalised for each in told if each.position_normalised is not None]
    assert len(normalised) == len(told)
    assert np.mean(normalised) / 3.0 < 1.5, 'errors are no larger than their covariance says'
