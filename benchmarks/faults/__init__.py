# SPDX-License-Identifier: Apache-2.0
"""Every fault that can be made here, injected for real into the running suite."""
