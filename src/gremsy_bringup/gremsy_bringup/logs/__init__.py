# SPDX-License-Identifier: Apache-2.0
"""What every process says, as text for people or as one JSON object a line."""
