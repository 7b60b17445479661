# SPDX-License-Identifier: Apache-2.0
"""MAVLink driver for Gremsy gimbals and payloads, and the simulated payload."""
