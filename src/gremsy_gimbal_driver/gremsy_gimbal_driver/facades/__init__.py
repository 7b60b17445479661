# SPDX-License-Identifier: Apache-2.0
"""Other people's interfaces to a gimbal, each offered where its messages are installed."""
