# SPDX-License-Identifier: Apache-2.0
"""What tests of the images and of the stacks made of them share: they are built once."""

import os
import shutil
from pathlib import Path

import pytest

from tools.test.image_builder import BASE, SIM, ImageBuilder, why_not


@pytest.fixture(scope='session')
def builder(tmp_path_factory):
    """With the base image. A store named by GREMSY_IMAGE_STORE is kept, so that the next run builds what changed."""
    reason = why_not()
    if reason:
        pytest.skip(reason)
    kept = os.environ.get('GREMSY_IMAGE_STORE')
    folder = Path(kept) if kept else tmp_path_factory.mktemp('images')
    made = ImageBuilder(folder)
    if not made.has(BASE):
        made.make_base()
    yield made
    if not kept:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope='session')
def sim_image(builder):
    """Its name."""
    builder.build('docker/Dockerfile.sim', SIM, BASE_IMAGE=BASE)
    return SIM
