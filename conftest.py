# SPDX-License-Identifier: Apache-2.0
"""What tests of several packages share."""

import os
import time

import pytest

from gremsy_common.claims import domain_claim, isolated

_BEGAN = time.time()

# As gremsy_detector.backends.onnxruntime_providers says it, for the tests that import ONNX Runtime themselves.
os.environ.setdefault('ORT_DISABLE_TELEMETRY', '1')


def pytest_configure(config):
    """Give each run without a ROS domain, and each of pytest-xdist's workers, one of its own.

    Before a module reads which one it is in.
    """
    if hasattr(config, 'workerinput') or not os.environ.get('ROS_DOMAIN_ID'):
        held = domain_claim()
        held.open()
        os.environ.update(isolated(held.number))
        config.add_cleanup(held.close)


def pytest_collection_modifyitems(config, items):
    """Try an integration test that failed up to twice more where workers share the cores; the summary names it.

    Of 700 that start processes and run against the clock, about one in a whole run of two cores meets a moment in which
    nothing moved for seconds. Alone, as a person runs it to look closer, a test has one try.
    """
    if hasattr(config, 'workerinput'):
        for item in items:
            if item.get_closest_marker('integration'):
                item.add_marker(pytest.mark.flaky(reruns=2, reruns_delay=2))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    from gremsy_tool.scheduling import FileScheduling

    return FileScheduling(config, log) if config.getoption('dist') == 'loadfile' else None


def pytest_terminal_summary(terminalreporter):
    """Where the pictures are that tests took of the operator's page."""
    from src.gremsy_web.test.page_visits import SHOTS

    taken = sorted(path for path in SHOTS.glob('*.png') if path.stat().st_mtime >= _BEGAN)
    if taken:
        terminalreporter.write_line(f'{len(taken)} screenshots of the operator page: {SHOTS}')


@pytest.fixture(scope='session')
def vtest_footage():
    """The demo's real footage, fetched once like the demo does; a machine that cannot have it skips with the reason."""
    from gremsy_camera.footage.footage import cache_directory, default_footage
    from gremsy_common.errors import SuiteError

    try:
        return default_footage(cache_directory(os.environ), print)
    except SuiteError as error:
        pytest.skip(str(error))
