# SPDX-License-Identifier: Apache-2.0
"""How pytest-xdist's workers share the tests: files stay whole, and what runs against the clock runs in queues."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

INTEGRATION = '_integration.py'
# Their integration tests wait for cameras, video servers and other nodes most of the time: in one queue with those of
# the gimbal and the loop, the whole took 20 minutes on two cores.
_WAITING = ('src/gremsy_camera/', 'src/gremsy_common/', 'src/gremsy_detector/', 'src/gremsy_web/')
# They start no robot, or one in a network of its own.
_ALONE = ('tools/', 'benchmarks/test/test_network_')
# One browser at a time, beside either.
_BROWSERS = ('src/gremsy_web/test/test_page_', 'src/gremsy_web/test/test_video_browser_')


class FileScheduling(LoadScopeScheduling):
    """A file goes to one worker, for the sake of its module's fixtures; most integration tests are three scopes."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.split('::', 1)[0]
        if not path.endswith(INTEGRATION) or path.startswith(_ALONE):
            return path
        if path.startswith(_BROWSERS):
            return f'page{INTEGRATION}'
        return f'video{INTEGRATION}' if path.startswith(_WAITING) else INTEGRATION
