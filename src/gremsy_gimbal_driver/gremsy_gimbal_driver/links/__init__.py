# SPDX-License-Identifier: Apache-2.0
"""Links to a gimbal: UDP and serial, behind one Protocol (`link.py`), made from a URI (`link_uri.py`)."""
