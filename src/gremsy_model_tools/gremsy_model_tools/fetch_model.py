# SPDX-License-Identifier: Apache-2.0
"""`ros2 run gremsy_model_tools fetch_model NAME`: a model from its maker, ready for the detector's parameter `model`.

The file is written whole or not at all. What it does not say about itself (layout, channel order, scale, class names)
is added at its end, so its own hash is no longer the maker's: both are kept in a record beside it.
"""

from __future__ import annotations

import argparse
import errno
import hashlib
import io
import json
import os
import sys
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from gremsy_common.atomic_file import write_whole
from gremsy_common.errors import SuiteError
from gremsy_common.parameters.parameter_forms import given_number, given_path
from gremsy_common.status_line import StatusLine
from gremsy_model_tools.fetch.download import FetchError, Route, download
from gremsy_model_tools.fetch.model_table import ModelRow, model_rows
from gremsy_model_tools.fetch.onnx_metadata import metadata_fields, not_a_model

MIRROR_VARIABLE = 'GREMSY_MODEL_MIRROR'
_INTERRUPTED = 130
_MEGABYTE = 1e6


@dataclass(frozen=True, slots=True)
class Record:
    """What was fetched, kept beside the model as `<model>.fetched.json`.

    Attributes:
        name: of the row.
        address: where it came from.
        sha256: of what lay there.
        file_sha256: of the model as it was written here.
        licence: of the model.
    """

    name: str
    address: str
    sha256: str
    file_sha256: str
    licence: str


def fetch(
    row: ModelRow,
    target: Path,
    *,
    mirror: str = '',
    sha256: str = '',
    route: Route | None = None,
    say: Callable[[str], None],
    progress: Callable[[int, int | None], None] = lambda _got, _total: None,
) -> Path:
    """Fetch a model, check it, and write it.

    Args:
        row: which.
        target: the file to write; one that is there stays as it is.
        mirror: base address in place of the row's host; empty for none.
        sha256: what the download must have, whatever the table says; empty for none.
        route: how to get out.
        say: takes sentences.
        progress: as for `download`.

    Returns:
        The file, new or fetched earlier.

    Raises:
        FetchError: in one sentence; nothing was written then.
    """
    kept = read_record(record_path(target))
    if kept is not None and kept.name != row.name:
        raise FetchError(
            f"{record_path(target)} describes model '{kept.name}': give '{row.name}' another place with --output."
        )
    wanted, who = _wanted_hash(row, sha256, kept, target)
    if os.path.lexists(target):
        return _already_there(row, target, kept, wanted, who, say)
    address = _address(row, mirror, wanted)
    say(f'Fetching {row.title} ({row.licence}) from {address}.')
    content = download(address, route or Route(), progress)
    found = hashlib.sha256(content).hexdigest()
    if wanted and found != wanted:
        raise FetchError(
            f'What came from {address} has the SHA-256 {found}, and {who} {wanted}: nothing was written. Try again, '
            f'or, if you trust what came, pin it with --sha256 {found}.'
        )
    model = _model_in(row, address, content) + metadata_fields(row.metadata)
    record = Record(row.name, address, found, hashlib.sha256(model).hexdigest(), row.licence)
    _write(target, model, record)
    if wanted:
        say(f'SHA-256 {found}, as {who} it.')
    else:
        say(f'SHA-256 {found}; its maker publishes none, so it is kept in {record_path(target)} for the next time.')
    return target


def record_path(model: Path) -> Path:
    """Of the record beside a model."""
    return model.with_name(f'{model.name}.fetched.json')


def read_record(path: Path) -> Record | None:
    """The record, None where there is none.

    Raises:
        FetchError: when another file has its name.
    """
    try:
        text = _read(path).decode()
        record = Record(**json.loads(text))
        if not all(isinstance(value, str) for value in asdict(record).values()):
            raise ValueError('a value is no text')
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FetchError(f'{path} cannot be read ({error.strerror}): check its permissions.') from error
    except (ValueError, TypeError) as error:
        raise FetchError(
            f'{path} is not a record that fetch_model wrote ({error}): move it away, or name another place with '
            '--output.'
        ) from error
    return record


def _read(path: Path) -> bytes:
    """The content of a file; what might wait for somebody who writes (a pipe) is refused as unreadable."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, 'it is no regular file')
    return path.read_bytes()


def _wanted_hash(row: ModelRow, pinned: str, kept: Record | None, target: Path) -> tuple[str, str]:
    """The hash that a download must have, empty for any, and who says so (the begin of '... it')."""
    if pinned:
        return pinned, '--sha256 pins'
    if row.sha256:
        return row.sha256, 'its publisher states'
    if kept is not None:
        return kept.sha256, f'{record_path(target)} of an earlier download keeps'
    return '', ''


def _already_there(
    row: ModelRow, target: Path, kept: Record | None, wanted: str, who: str, say: Callable[[str], None]
) -> Path:
    """What was fetched earlier is enough; anything else is somebody's own."""
    try:
        content = _read(target)
    except OSError as error:
        raise FetchError(
            f'{target} exists and cannot be read ({error.strerror}): move it away, or name another place with --output.'
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if kept is not None and found == kept.file_sha256:
        if wanted and kept.sha256 != wanted:
            raise FetchError(
                f'{target} was fetched with the SHA-256 {kept.sha256}, and {who} {wanted}: move it away, with '
                f'{record_path(target)}, to fetch it again.'
            )
        if not content.endswith(metadata_fields(row.metadata)):
            raise FetchError(
                f'{target} was fetched by another version of fetch_model, which gave it other metadata: '
                f'move it away, with {record_path(target)}, to fetch it again.'
            )
        say(f'{row.title} is there already, as it was fetched (SHA-256 {kept.sha256}).')
        return target
    if wanted and found == wanted:
        raise FetchError(
            f'{target} exists: it is {row.title} as its maker offers it, without what the detector must know. It stays '
            'as it is; name another place with --output.'
        )
    raise FetchError(
        f'{target} exists and is not what fetch_model wrote: it stays as it is, so move it away or name another place '
        'with --output.'
    )


def _address(row: ModelRow, mirror: str, wanted: str) -> str:
    if not mirror:
        return row.address
    parts = _parts(mirror)
    if parts is None:
        raise FetchError(
            f"Mirror '{mirror}' is no base address: write it as https://host/folder, without a name and password."
        )
    if parts.scheme == 'http' and not wanted:
        raise FetchError(
            f"Mirror '{mirror}' is not https, and the hash of {row.name} is not known: on the way anybody could "
            'exchange the file, so pin it with --sha256, or use https.'
        )
    return mirror.rstrip('/') + urlsplit(row.address).path


def _parts(mirror: str) -> SplitResult | None:
    """Of a base address to which a path can be added; None for anything else."""
    try:
        parts = urlsplit(mirror)
        _ = parts.port
    except ValueError:
        return None
    whole = parts.scheme in ('http', 'https') and parts.hostname and '@' not in parts.netloc
    return parts if whole and not {'?', '#'} & set(mirror) else None


def _model_in(row: ModelRow, address: str, content: bytes) -> bytes:
    """The ONNX file in what was downloaded."""
    if row.member:
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive, archive.open(row.member) as file:
                content = file.read(Route().largest_bytes)
        except KeyError as error:
            raise FetchError(
                f'{address} has no {row.member} in it: its makers have changed the archive, so nothing was written.'
            ) from error
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError) as error:
            raise FetchError(
                f'{address} is no archive that can be read ({error}): nothing was written, so try again, or take '
                'another place with --mirror.'
            ) from error
    why = not_a_model(content)
    if why is not None:
        raise FetchError(
            f'What came from {address} is not an ONNX model ({why}): nothing was written, so look at the address with '
            'a browser, or take another place with --mirror.'
        )
    return content


def _write(target: Path, model: bytes, record: Record) -> None:
    """The record first: a model without one would be a stranger's to the next call."""
    text = json.dumps(asdict(record), indent=2) + '\n'
    beside = record_path(target)
    known = beside.read_bytes() if beside.exists() else None
    try:
        target.parent.mkdir(exist_ok=True)
        write_whole(beside, text.encode())
        try:
            if os.path.lexists(target):
                raise FileExistsError(None, 'it was created in the meantime')
            write_whole(target, model)
        except BaseException:
            if known is None:
                beside.unlink()
            else:
                write_whole(beside, known)
            raise
    except OSError as error:
        raise FetchError(
            f'{target} cannot be written ({error.strerror or error}): make room, or name another place with --output.'
        ) from error


def _so_far(got: int, total: int | None) -> str:
    """Of a download; servers need not say how much will come."""
    return f'{got / _MEGABYTE:.1f} MB' if total is None else f'{got / _MEGABYTE:.1f} of {total / _MEGABYTE:.1f} MB'


def _target(output: Path | None, name: str) -> Path:
    target = Path() if output is None else output
    is_folder = target.is_dir() or (not target.suffix and not os.path.lexists(target))
    if not is_folder and target.suffix != '.onnx':
        raise FetchError(f'Option --output is {target}: give a folder, or a file that ends in .onnx.')
    # A folder is made when there is something to put there (`_write`), but only one: more of them is a misspelt path.
    if not target.is_dir() and not target.parent.is_dir():
        raise FetchError(f'Option --output is {target}: folder {target.parent} does not exist, so make it first.')
    return (target / f'{name}.onnx' if is_folder else target).absolute()


def table(rows: Mapping[str, ModelRow]) -> str:
    """What there is, for people."""
    lines = []
    for row in rows.values():
        precision = '' if row.average_precision is None else f', COCO AP {row.average_precision:g}'
        side = row.metadata['imgsz']
        lines += [
            f'{row.name}',
            f'    {row.title}, input {side}{precision}, {row.licence}, {row.tried}',
            f'    {row.address}{f" ({row.member})" if row.member else ""}',
            f'    SHA-256 {row.sha256 or "not published by its maker"}',
        ]
        if row.remark:
            lines.append(f'    {row.remark}')
    return '\n'.join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch, and print the file's path; 1 and one sentence on stderr when that fails."""
    rows = model_rows()
    parser = argparse.ArgumentParser(
        prog='fetch_model', description='Fetch a detection model under a permissive licence, ready for the detector.'
    )
    parser.add_argument('name', nargs='?', help='of the model; --list names them all')
    parser.add_argument('--list', action='store_true', help='print the table of models and end')
    parser.add_argument(
        '--output',
        type=given_path,
        metavar='PATH',
        help='file or folder to write to; the current folder by default, and a new one is made',
    )
    parser.add_argument(
        '--mirror', default=os.environ.get(MIRROR_VARIABLE, ''), metavar='URL',
        help=f'base address in place of https://HOST of the table (also {MIRROR_VARIABLE})',
    )  # fmt: skip
    parser.add_argument('--proxy', metavar='URL', help='proxy to use; HTTPS_PROXY and NO_PROXY by default')
    parser.add_argument('--sha256', type=_sha256, metavar='HEX', help='the hash that the download must have')
    parser.add_argument(
        '--timeout',
        type=given_number(0.1, 3600.0),
        default=30.0,
        metavar='S',
        help='give up after S seconds without data (default 30)',
    )
    options = parser.parse_args(arguments)
    if options.list:
        print(table(rows))
        return 0

    def say(sentence: str) -> None:
        print(sentence, file=sys.stderr)

    if options.name not in rows:
        say(
            f'There is no model {options.name!r}: use one of {", ".join(rows)}.'
            if options.name
            else f'Which model? Name one of {", ".join(rows)}, or read about them with --list.'
        )
        return 1
    line = StatusLine(sys.stderr)
    try:
        with line.working(f'Fetching {options.name}') as note:
            target = fetch(
                rows[options.name],
                _target(options.output, options.name),
                mirror=options.mirror,
                sha256=options.sha256 or '',
                route=replace(Route(), proxy=options.proxy, timeout_s=options.timeout),
                say=line.say,
                progress=lambda got, total: note(_so_far(got, total)),
            )
    except SuiteError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say('Stopped: nothing was written.')
        return _INTERRUPTED
    print(target)
    return 0


def _sha256(text: str) -> str:
    if len(text) != 64 or not set(text.lower()) <= set('0123456789abcdef'):
        raise argparse.ArgumentTypeError('give the 64 hexadecimal digits of a SHA-256')
    return text.lower()


if __name__ == '__main__':
    sys.exit(main())
