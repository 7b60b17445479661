# SPDX-License-Identifier: Apache-2.0
"""The one exception that ends a command with a sentence instead of a traceback."""


class GremsyError(Exception):
    """Something a person must change; its text is one sentence with the thing and the way out."""

    exit_status = 2
