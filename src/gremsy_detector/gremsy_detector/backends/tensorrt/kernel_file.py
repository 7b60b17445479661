# SPDX-License-Identifier: Apache-2.0
"""The kernels that TensorRT for RTX compiled for this GPU, kept beside their engine so that the next start is quick.

They only save time: a file that is missing, damaged, or of another engine, GPU or driver is ignored and rewritten. Each
GPU has its own file, so that machines can share the folder; a new driver's file replaces the old one.
The file: 16 bytes of magic, the SHA-256 of the key and the content (32 bytes), the content.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from gremsy_common.atomic_file import write_whole

KERNELS_SUFFIX = '.kernels'
MAGIC = b'GREMSY-KERNELS1\n'
_DIGEST_BYTES = 32


class KernelFile:
    """What was compiled for one engine on one GPU."""

    def __init__(self, engine: Path, plan_sha256: str, gpu: str, driver: str) -> None:
        """Nothing is read yet.

        Args:
            engine: file of the engine.
            plan_sha256: of the engine's content.
            gpu: `Gpu.identity`.
            driver: version of CUDA that the driver is for.
        """
        self.path = engine.with_name(f'{engine.stem}.{_sha256(gpu.encode()).hex()[:12]}{KERNELS_SUFFIX}')
        self._key = repr((plan_sha256, gpu, driver)).encode()

    def read(self) -> bytes:
        """What was written, empty if there is nothing that fits."""
        try:
            whole = self.path.read_bytes()
        except OSError:
            return b''
        start = len(MAGIC) + _DIGEST_BYTES
        content = whole[start:]
        return content if whole[:start] == self._head(content) else b''

    def write(self, content: bytes) -> None:
        """The whole file or nothing; see `write_whole`.

        Raises:
            OSError: when the disk refuses.
        """
        write_whole(self.path, self._head(content), content)

    def _head(self, content: bytes) -> bytes:
        return MAGIC + _sha256(self._key + content)


def _sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
