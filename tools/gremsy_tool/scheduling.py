# SPDX-License-Identifier: Apache-2.0
"""How pytest-xdist's workers share the tests: files stay whole, and what runs against the clock runs one at a time."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

INTEGRATION = '_integration.py'


class FileScheduling(LoadScopeScheduling):
    """A file goes to one worker, for the sake of its module's fixtures; all integration tests go to the same one."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.split('::', 1)[0]
        return INTEGRATION if path.endswith(INTEGRATION) else path
