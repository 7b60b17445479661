# SPDX-License-Identifier: Apache-2.0
"""./gremsy docs: brings what the pages run, once, and has MkDocs build or show the site."""

from __future__ import annotations

import filecmp
import os
import shutil
import subprocess
import sys

from gremsy_docs.docs_arguments import parser
from gremsy_docs.site_pages import REPOSITORY, scripts, state_folder


def main() -> int:
    options = parser().parse_args()
    if not bring_scripts():
        sys.stderr.write(
            'gremsy: npm could not bring what the pages run (docs/package.json): see its words above; '
            'the same command tries again.\n'
        )
        return 2
    # A notice to the maintainers of this site, who have read it (docs/dependencies.md).
    os.environ['NO_MKDOCS_2_WARNING'] = '1'
    mkdocs = [sys.executable, '-m', 'mkdocs']
    given = ['--config-file', str(REPOSITORY / 'mkdocs.yml')]
    if options.serve:
        os.execv(sys.executable, [*mkdocs, 'serve', *given])  # noqa: S606 -- becoming the server is the point
    site = state_folder() / 'site'
    status = subprocess.run([*mkdocs, 'build', '--strict', *given, '--site-dir', str(site)], check=False).returncode
    if status == 0:
        sys.stderr.write(f'The documentation is in {site}: open index.html there in a browser.\n')
    return status


def bring_scripts() -> bool:
    """Whether they are there; npm checks what it downloads against docs/package-lock.json."""
    folder = state_folder() / 'docs'
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [REPOSITORY / 'docs' / name for name in ('package.json', 'package-lock.json')]
    same = all(
        (folder / path.name).is_file() and filecmp.cmp(path, folder / path.name, shallow=False) for path in wanted
    )
    if same and all(script.is_file() for script in scripts()):
        return True
    for path in wanted:
        shutil.copyfile(path, folder / path.name)
    command = ['npm', 'ci', '--prefix', str(folder), '--no-audit', '--no-fund', '--ignore-scripts']
    return subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode == 0


if __name__ == '__main__':
    sys.exit(main())
