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
    description="Tools for the detector's model files that a robot in operation does not need: fetch_model.",
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            'fetch_model = gremsy_model_tools.fetch_model:main',
        ],
    },
)
