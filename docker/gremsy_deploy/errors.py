# SPDX-License-Identifier: Apache-2.0
"""What is said in a sentence, and not by a traceback."""


class DeployError(Exception):
    """The command, the inventory or the release is not as it must be."""
