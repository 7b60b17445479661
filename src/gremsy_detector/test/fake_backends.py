# SPDX-License-Identifier: Apache-2.0
"""Back ends whose failures a test decides."""

import numpy as np

from gremsy_detector.errors import InferenceError, ModelError
from gremsy_detector.model.model_facts import ModelFacts, TensorFacts

NAMES = "{0: 'person', 1: 'car', 2: 'dog'}"


class Machine:
    """What happens to the back ends of one test: what was opened and closed, and what fails."""

    def __init__(self):
        self.log = []
        self.open_errors = {}
        self.run_errors = {}
        self.run_blocks = {}
        self.remark = ''
        self.names = NAMES
        self.score = 0.9

    def backend(self, name, preference=10, *, builds=False, reason=None):
        """A kind of back end of that name that lives on this machine."""
        machine = self

        class Fake:
            suffixes = ('.onnx',)

            def __init__(self, model, options=None):
                self.model = model
                self.options = options

            @staticmethod
            def unavailable():
                return reason

            def open(self):
                machine.log.append(f'open {name}')
                error = machine.open_errors.get(name)
                if error is not None:
                    raise error
                return ModelFacts(
                    self.model,
                    (TensorFacts('images', (1, 3, 64, 64), 'float32'),),
                    (TensorFacts('output0', (1, 7, 30), 'float32'),),
                    {'names': machine.names, 'resize': 'stretch', 'task': 'detect'},
                )

            most_images = 1
            concurrent = False

            def new_input(self, shape, dtype):
                return np.zeros(shape, dtype)

            def infer(self, tensor):
                block = machine.run_blocks.get(name)
                if block is not None:
                    block.wait()
                error = machine.run_errors.get(name)
                # The warm-up, on the empty padding, goes well: what fails is a real image, which is never one grey.
                if error is not None and np.ptp(tensor) > 0:
                    raise error
                answer = np.zeros((1, 7, 30), np.float32)
                answer[0, :5, 0] = [24, 28, 16, 24, machine.score]
                return [answer]

            def close(self):
                machine.log.append(f'close {name}')

            @property
            def description(self):
                return f'the fake {name}{machine.remark}'

        Fake.name, Fake.preference, Fake.builds = name, preference, builds
        return Fake


def broken(name):
    return ModelError(f'The {name} is broken: mend it.')


def out_of_memory(name):
    return InferenceError(f'{name} failed on m.onnx: out of memory.')


def open_models(pool):
    """How many models a pool has in memory."""
    return sum(not each.ended for each in pool._models.values())
