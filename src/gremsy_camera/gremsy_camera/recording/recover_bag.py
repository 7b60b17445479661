# SPDX-License-Identifier: Apache-2.0
"""`ros2 run gremsy_camera recover_bag FILE`: a bag that was cut by a power failure, as one that `ros2 bag` opens.

Exit status: 0 there is a whole bag, 1 nothing could be read from the torn one, 2 it cannot be done as it is asked for.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from gremsy_camera.errors import RecordingError
from gremsy_camera.recording.recording_libraries import import_writer
from gremsy_common.errors import SuiteError, one_line
from gremsy_common.parameters.parameter_forms import given_path

WORKS, FAILED, MISUSED = 0, 1, 2


class NothingToRecover(RecordingError):
    """No message can be read from the file."""


def recover(torn: Path, whole: Path) -> tuple[int, str]:
    """Copy what can be read from the front into a new bag.

    Args:
        torn: a bag that ends anywhere; it is only read.
        whole: of the new bag.

    Returns:
        how many messages there are, and where reading ended in a few words; '' at the end of a whole bag.

    Raises:
        NothingToRecover: when there is no message; no file is left then.
        RecordingError: when a file cannot be opened, or mcap is not installed.
    """
    import_writer('mcap')
    try:
        with torn.open('rb') as source, whole.open('xb') as target:
            messages, ended = _copy(source, target)
    except FileExistsError as error:
        raise RecordingError(f"'{whole}' is there already: name another file for the bag.") from error
    except OSError as error:
        raise RecordingError(
            f"'{error.filename or whole}' cannot be used ({error.strerror}): check its name."
        ) from error
    if not messages:
        whole.unlink()
        raise NothingToRecover(f"No message can be read from '{torn}' ({ended or 'it has none'}).")
    return messages, ended


def _copy(source: BinaryIO, target: BinaryIO) -> tuple[int, str]:
    """Write the records of one bag to another under numbers of its own, until they end, in order or in the middle."""
    kinds = importlib.import_module('mcap.records')
    # A chunk counts where its checksum does.
    records = importlib.import_module('mcap.stream_reader').StreamReader(source, validate_crcs=True).records
    writer = import_writer('mcap').Writer(target)
    writer.start(profile='ros2', library='gremsy_camera')
    # 0 is a channel without a schema.
    schemas, channels = {0: 0}, {}
    messages, ended = 0, ''
    try:
        for record in records:
            if isinstance(record, kinds.Schema) and record.id not in schemas:
                schemas[record.id] = writer.register_schema(record.name, record.encoding, record.data)
            elif isinstance(record, kinds.Channel) and record.id not in channels:
                channels[record.id] = writer.register_channel(
                    record.topic, record.message_encoding, schemas[record.schema_id], dict(record.metadata)
                )
            elif isinstance(record, kinds.Message):
                writer.add_message(
                    channel_id=channels[record.channel_id],
                    log_time=record.log_time,
                    publish_time=record.publish_time,
                    data=record.data,
                    sequence=record.sequence,
                )
                messages += 1
            elif isinstance(record, kinds.DataEnd):
                break
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 bytes that were cut anywhere may be refused by anything
        ended = one_line(error)
    writer.finish()
    return messages, ended


def main(arguments: Sequence[str] | None = None) -> int:
    """`recover_bag`."""
    parser = argparse.ArgumentParser(
        prog='ros2 run gremsy_camera recover_bag', description='Makes a whole bag of one that was cut.'
    )
    parser.add_argument('torn', type=given_path, metavar='FILE', help='the bag (.mcap) that was cut; it stays as it is')
    parser.add_argument('whole', type=given_path, nargs='?', metavar='OUT', help='the new bag; FILE.recovered.mcap')
    options = parser.parse_args(arguments)
    whole = options.whole or options.torn.with_suffix('.recovered.mcap')
    try:
        messages, ended = recover(options.torn, whole)
    except NothingToRecover as error:
        sys.stderr.write(f'{error}\n')
        return FAILED
    except SuiteError as error:
        sys.stderr.write(f'{error}\n')
        return MISUSED
    cut = ', up to where the file was cut' if ended else ', all that there are'
    sys.stdout.write(f"{messages} messages are in '{whole}'{cut}.\n")
    return WORKS


if __name__ == '__main__':
    sys.exit(main())
