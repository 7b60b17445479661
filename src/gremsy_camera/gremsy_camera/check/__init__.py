# SPDX-License-Identifier: Apache-2.0
"""`camera_check`: what a source gives, how late and how even, how far its stamps are off, what to write down."""
