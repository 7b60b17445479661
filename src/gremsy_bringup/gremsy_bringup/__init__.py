# SPDX-License-Identifier: Apache-2.0
"""Launch files, configuration, the loop container, the demo and doctor of the Gremsy vision suite."""
