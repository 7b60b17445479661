# SPDX-License-Identifier: Apache-2.0
"""The payload's camera: settings, zoom, focus, recording, on-board tracking. Bytes out, events in, times given."""
