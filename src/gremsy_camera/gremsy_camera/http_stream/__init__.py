# SPDX-License-Identifier: Apache-2.0
"""Cameras that send JPEG pictures over HTTP: connection, pictures in what comes, single ones asked for in turn."""
