# SPDX-License-Identifier: Apache-2.0
"""The one exception that ends a command with a sentence instead of a traceback."""


class GremsyError(Exception):
    """Something a person must change; its text is one sentence with the thing and the way out."""

    exit_status = 2


def disk_full(path: object) -> GremsyError:
    return GremsyError(f'The disk is full: free 3 GB for {path}, or set GREMSY_STATE to a folder on another disk.')
