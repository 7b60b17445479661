# SPDX-License-Identifier: Apache-2.0
"""What other machines hear of robots: hosts of one network as namespaces of this machine."""
