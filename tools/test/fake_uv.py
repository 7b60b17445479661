# SPDX-License-Identifier: Apache-2.0
"""A program called uv for the tests: it keeps the calls, and writes one package, "demo", as the real one does.

Files beside it say how it behaves: `prints` (what it says and then fails), `broken` (it writes a package that cannot be
imported, so many times), `offline` (it reaches no index), `slow` (it stops in the middle of writing until that file is
gone).
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main(arguments):
    if arguments == ['--version']:
        print((HERE / 'version').read_text())
        return 0
    with (HERE / 'calls').open('a') as calls:
        calls.write(json.dumps([arguments, dict(os.environ)]) + '\n')
    if arguments[0] == 'export':
        print('demo==1 --hash=sha256:00' if 'build' not in arguments[-3:] else '')
        return 0
    if (HERE / 'prints').exists():
        print((HERE / 'prints').read_text(), file=sys.stderr)
        return 1
    if arguments[0] == 'venv':
        command = [sys.executable, '-m', 'venv', '--without-pip', '--clear', arguments[-1]]
        return subprocess.run(command, check=False).returncode
    if arguments[:2] == ['pip', 'install']:
        if (HERE / 'offline').exists() and 'UV_OFFLINE' not in os.environ:
            print('error: Failed to fetch\n  cause: dns error', file=sys.stderr)
            return 2
        return install(Path(arguments[arguments.index('--python') + 1]), again='--reinstall-package' in arguments)
    return 0


def install(python, *, again):
    site = next((python.parent.parent / 'lib').glob('python3.*/site-packages'))
    info = site / 'demo-1.dist-info'
    if info.exists() and not again:
        return 0
    info.mkdir(exist_ok=True)
    (info / 'METADATA').write_text('Metadata-Version: 2.1\nName: demo\nVersion: 1\n')
    (info / 'RECORD').write_text('demo/__init__.py,,\ndemo/rest.py,,\n')
    (info / 'top_level.txt').write_text('demo\n')
    (site / 'demo').mkdir(exist_ok=True)
    (site / 'demo' / '__init__.py').write_text('import demo.rest\n')
    (HERE / 'half').touch()
    while (HERE / 'slow').exists():
        time.sleep(0.02)
    left = int((HERE / 'broken').read_text()) if (HERE / 'broken').exists() else 0
    (HERE / 'broken').write_text(str(left - 1))
    if left <= 0:
        (site / 'demo' / 'rest.py').touch()
    print(' ~ demo==1' if again else ' + demo==1')
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
