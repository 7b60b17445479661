# SPDX-License-Identifier: Apache-2.0
"""The back ends: every module here with a `BACKEND` is one (`backend.py` says what it must be)."""
