# SPDX-License-Identifier: Apache-2.0
"""What ./gremsy does: sets up the workspace and starts things in it. Standard library only."""
