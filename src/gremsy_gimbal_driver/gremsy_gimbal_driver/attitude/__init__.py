# SPDX-License-Identifier: Apache-2.0
"""Where the camera looks: telemetry read, checked, stamped and put into frames."""
