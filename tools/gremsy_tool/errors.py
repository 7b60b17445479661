# SPDX-License-Identifier: Apache-2.0
"""The one exception that ends a command with a sentence instead of a traceback."""

import sys

from gremsy_common.errors import SuiteError


class GremsyError(SuiteError):
    """Something a person must change; its text is one sentence with the thing and the way out."""

    exit_status = 2


def disk_full(path: object) -> GremsyError:
    return GremsyError(f'The disk is full: free 3 GB for {path}, or set GREMSY_STATE to a folder on another disk.')


def no_venv() -> GremsyError:
    version = '{}.{}'.format(*sys.version_info)
    return GremsyError(
        f'Python {version} lacks its venv module: apt-get install python3-venv (or python{version}-venv).'
    )


def not_writable(path: object) -> GremsyError:
    return GremsyError(
        f'{path} cannot be written: make it yours (chown), or set GREMSY_STATE to a folder that is, for example '
        'GREMSY_STATE=$HOME/.cache/gremsy.'
    )
