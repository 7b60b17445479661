# SPDX-License-Identifier: Apache-2.0
"""What tests of several packages share."""

import os

import pytest


@pytest.fixture(scope='session')
def vtest_footage():
    """The demo's real footage, fetched once like the demo does; a machine that cannot have it skips with the reason."""
    from gremsy_camera.footage import cache_directory, default_footage
    from gremsy_common.errors import SuiteError

    try:
        return default_footage(cache_directory(os.environ), print)
    except SuiteError as error:
        pytest.skip(str(error))
