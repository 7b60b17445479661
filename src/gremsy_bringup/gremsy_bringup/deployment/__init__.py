# SPDX-License-Identifier: Apache-2.0
"""What a container of the suite is told by its environment, and what it is asked about its health."""
