# SPDX-License-Identifier: Apache-2.0
"""The driver's payload on a wire serves here too."""

from src.gremsy_gimbal_driver.test.conftest import *  # noqa: F403
