# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

package_name = 'gremsy_model_tools'

setup(
    name=package_name,
    version='0.1.0',
    packages=find_packages(exclude=['test']),
    package_data={'': ['py.typed']},
    data_files=[
        ('share/ament_index/resource_index/packages', ['resource/' + package_name]),
        ('share/' + package_name, ['package.xml']),
    ],
    install_requires=['setuptools'],
    zip_safe=False,
    maintainer='Gremsy vision suite maintainers',
    maintainer_email='maintainers@gremsy-vision.invalid',
    description='What is done to a model before the detector runs it: fetched, exported, converted, built, looked at.',
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            'build_engine = gremsy_common.programs:tool.gremsy_model_tools.build_engine.main',
            'capture_frames = gremsy_common.programs:tool.gremsy_model_tools.frames.capture_frames.main',
            'export = gremsy_common.programs:tool.gremsy_model_tools.export.main',
            'fetch_model = gremsy_common.programs:tool.gremsy_model_tools.fetch_model.main',
            'model_info = gremsy_common.programs:tool.gremsy_model_tools.model_info.main',
            'quantize = gremsy_common.programs:tool.gremsy_model_tools.quantize.main',
        ],
        # Engines of another precision than the file's: the detector finds this where the package is installed.
        'gremsy_detector.precision_step': ['prepare = gremsy_model_tools.precision.prepare:prepare_model'],
        # What a GPU does in the CPU's stead.
        'gremsy_detector.gpu_graphs': ['graphs = gremsy_model_tools.gpu.gpu_graphs'],
    },
)
