# SPDX-License-Identifier: Apache-2.0
import sys

from gremsy_tool.cli import main

sys.exit(main(sys.argv[1:]))
