# SPDX-License-Identifier: Apache-2.0
"""Models under permissive licences, fetched from their makers."""
