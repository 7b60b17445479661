# SPDX-License-Identifier: Apache-2.0
"""What tests of several packages share."""

import contextlib
import os

import pytest

from gremsy_tool.isolation import free_domain, isolated

# As gremsy_detector.backends.onnxruntime_providers says it, for the tests that import ONNX Runtime themselves.
os.environ.setdefault('ORT_DISABLE_TELEMETRY', '1')


def pytest_configure(config):
    """Give each of pytest-xdist's workers a ROS domain of its own, before a module reads which one it is in."""
    if hasattr(config, 'workerinput'):
        held = contextlib.ExitStack()
        os.environ.update(isolated(held.enter_context(free_domain())))
        config.add_cleanup(held.close)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    from gremsy_tool.scheduling import FileScheduling

    return FileScheduling(config, log) if config.getoption('dist') == 'loadfile' else None


@pytest.fixture(scope='session')
def vtest_footage():
    """The demo's real footage, fetched once like the demo does; a machine that cannot have it skips with the reason."""
    from gremsy_camera.footage.footage import cache_directory, default_footage
    from gremsy_common.errors import SuiteError

    try:
        return default_footage(cache_directory(os.environ), print)
    except SuiteError as error:
        pytest.skip(str(error))
