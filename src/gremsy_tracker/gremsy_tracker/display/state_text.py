# SPDX-License-Identifier: Apache-2.0
"""What `target/state` carries: one line of JSON, for eyes and programs alike."""

from __future__ import annotations

import json

from gremsy_tracker.lock.target_lock import LockStatus


def state_text(status: LockStatus, *, enabled: bool, still_because: str) -> str:
    """State and reason of the lock, who is locked (null: nobody), and why no rate is asked for (empty: one is)."""
    return json.dumps(
        {
            'state': status.state.value,
            'reason': status.reason,
            'id': status.target_id,
            'label': status.label,
            'enabled': enabled,
            'still_because': still_because,
        }
    )
