# SPDX-License-Identifier: Apache-2.0
"""`./gremsy init`: asks what is different on this robot, tries it, and writes its parameter file."""
