# SPDX-License-Identifier: Apache-2.0
"""`doctor --robot` for a robot without a checkout: sent as one file, run by its own Python, and gone after it."""

from __future__ import annotations

import base64
import io
import time
import zipfile
from pathlib import Path

from gremsy_deploy.errors import DeployError
from gremsy_deploy.remotes import OnLine, Remote
from gremsy_deploy.robots import End, Report

# All of it takes the standard library alone, which a test holds it to.
_MODULES = (
    'gremsy_bringup/gremsy_bringup/__init__.py',
    'gremsy_bringup/gremsy_bringup/describe/__init__.py',
    'gremsy_bringup/gremsy_bringup/describe/ros_network.py',
    'gremsy_bringup/gremsy_bringup/doctor/__init__.py',
    'gremsy_bringup/gremsy_bringup/doctor/doctor_table.py',
    'gremsy_bringup/gremsy_bringup/deployment/__init__.py',
    'gremsy_bringup/gremsy_bringup/deployment/health_check.py',
    'gremsy_bringup/gremsy_bringup/robot_doctor/*.py',
    'gremsy_camera/gremsy_camera/__init__.py',
    'gremsy_camera/gremsy_camera/errors.py',
    'gremsy_camera/gremsy_camera/streams/__init__.py',
    'gremsy_camera/gremsy_camera/streams/credentials.py',
    'gremsy_camera/gremsy_camera/v4l2/__init__.py',
    'gremsy_camera/gremsy_camera/v4l2/video_nodes.py',
    'gremsy_common/gremsy_common/__init__.py',
    'gremsy_common/gremsy_common/atomic_file.py',
    'gremsy_common/gremsy_common/claims.py',
    'gremsy_common/gremsy_common/dds_settings.py',
    'gremsy_common/gremsy_common/errors.py',
    'gremsy_gimbal_driver/gremsy_gimbal_driver/__init__.py',
    'gremsy_gimbal_driver/gremsy_gimbal_driver/links/__init__.py',
    'gremsy_gimbal_driver/gremsy_gimbal_driver/links/port_access.py',
)
_MAIN = 'import sys\nfrom gremsy_bringup.robot_doctor.robot_doctor_command import main\nsys.exit(main())\n'
_MARK = 'archive '
# The folder and the options come as arguments; what is made is in a folder of its own, which goes whatever happens.
_SCRIPT = f"""
set -u
folder=$1 bundle=$2
shift 2
made=$(mktemp -d) || exit 2
trap 'rm -rf "$made"' EXIT
trap 'exit 2' HUP INT TERM
cat >"$made/doctor.pyz"
command -v python3 >/dev/null || {{ echo 'it has no Python: sudo apt-get install python3'; exit 2; }}
[ -f "$folder/shared/.env" ] && set -- "$@" --env-file "$folder/shared/.env"
[ "$bundle" = yes ] && set -- "$@" --bundle "$made/bundle.tar.gz"
COLUMNS=100 python3 -B "$made/doctor.pyz" --robot "$@"
status=$?
[ -f "$made/bundle.tar.gz" ] && printf '{_MARK}' && base64 "$made/bundle.tar.gz" | tr -d '\\n' && echo
exit $status
"""
# Of the suite's own part at most 180, ten of telemetry twice, and what hangs.
_LONGEST_S = 420.0


def doctor_file(sources: Path) -> bytes:
    """What the robot's Python runs.

    Args:
        sources: src/ of this checkout.

    Raises:
        DeployError: it is not whole.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('__main__.py', _MAIN)
        for pattern in _MODULES:
            paths = sorted(sources.glob(pattern))
            if not paths:
                raise DeployError(f'{sources / pattern} is missing: the doctor is sent from a whole checkout')
            for path in paths:
                # Without the package's own folder: gremsy_camera/gremsy_camera/x.py is module gremsy_camera.x.
                archive.write(path, str(path.relative_to(sources)).partition('/')[2])
    return buffer.getvalue()


def examine(name: str, folder: str, remote: Remote, file: bytes, on_line: OnLine, bundle: Path | None) -> Report:
    """Has one robot checked; its rows are reported line by line.

    Args:
        name: the robot's.
        folder: of its releases.
        remote: the way to it.
        file: of `doctor_file`.
        on_line: takes each line.
        bundle: folder for the archive that it makes; None for none.
    """

    def keep(line: str) -> None:
        if not line.startswith(_MARK):
            on_line(line)

    command = ['sh', '-c', _SCRIPT, 'doctor', folder, 'yes' if bundle else 'no']
    outcome = remote.run(command, given=file, timeout_s=_LONGEST_S, on_line=keep)
    if outcome.status is None:
        return Report(name, End.LOST, 'not reached, or it did not end')
    sent = next((line.removeprefix(_MARK) for line in outcome.lines if line.startswith(_MARK)), '')
    if bundle is not None and not sent:
        return Report(name, End.FAILED, 'it wrote no archive')
    if bundle is not None:
        path = bundle / time.strftime(f'gremsy_doctor_{name}_%Y%m%dT%H%M%SZ.tar.gz', time.gmtime())
        try:
            with path.open('xb') as made:
                made.write(base64.b64decode(sent))
        except OSError as error:
            return Report(name, End.FAILED, f'{path} cannot be written ({error.strerror})')
        on_line(f'its archive is {path}')
    return Report(name, End.DONE if outcome.status == 0 else End.FAILED, '' if outcome.status == 0 else 'not ready')
