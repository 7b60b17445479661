# SPDX-License-Identifier: Apache-2.0
"""Locks on files and folders, which the kernel frees however the process that holds them ends."""

from __future__ import annotations

import fcntl


def try_lock(descriptor: int) -> bool:
    """Hold an open file or folder for this descriptor alone, until it is closed; False while another holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
