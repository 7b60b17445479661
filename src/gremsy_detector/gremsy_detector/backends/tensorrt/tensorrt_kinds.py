# SPDX-License-Identifier: Apache-2.0
"""NVIDIA's two TensorRTs: one interface, but versions, engines and GPUs of their own.

The full one (also as lean or dispatch runtime) takes minutes to build an engine for one model of GPU. TensorRT for RTX
takes seconds to build one for all of its GPUs, without any, and compiles the kernels for the GPU at hand at the start.
"""

from __future__ import annotations

from dataclasses import dataclass

from gremsy_common.installing import pip_install
from gremsy_common.machine.cuda_probe import Gpu


@dataclass(frozen=True, slots=True)
class Kind:
    """One of the two.

    Attributes:
        name: of its back end, and in the key of its engines.
        title: for people.
        abbreviation: in the file names of its engines.
        modules: where it is looked for, the most able first.
        packages: of PyPI, with what it needs beside it.
        on_jetson: where it comes from there; empty where it is for other machines.
        build_takes: roughly, for people.
        portable_to: compute capabilities that one of its engines serves by default, the last one with all after it;
            empty where an engine is for one model of GPU, whichever that is.
        built_for: further ones that it builds an engine of its own for, when told.
    """

    name: str
    title: str
    abbreviation: str
    modules: tuple[str, ...]
    packages: tuple[str, ...]
    build_takes: str
    portable_to: tuple[str, ...] = ()
    built_for: tuple[str, ...] = ()
    on_jetson: str = ''

    @property
    def how_to_install(self) -> str:
        """The way out where it is missing."""
        command = pip_install(*self.packages)
        return f'{self.on_jetson} on a Jetson, {command} elsewhere' if self.on_jetson else command

    @property
    def portable(self) -> bool:
        """Whether one engine serves many models of GPU, and is built without any."""
        return bool(self.portable_to)

    def refusal(self, gpu: Gpu) -> str | None:
        """Why it does not run on a GPU, as the end of a sentence; None when it does."""
        if not self.portable or gpu.compute_capability in self.built_for or self._is_portable_to(gpu):
            return None
        known = ', '.join(sorted((*self.built_for, *self.portable_to), key=_number))
        here = gpu.compute_capability
        return f'{gpu.name} has compute capability {here}, and {self.title} runs on {known} and later ones'

    def aims_at(self, gpu: Gpu | None) -> tuple[str, str]:
        """What the key of an engine for a GPU says of it: the GPU's identity, empty for any, and the capability.

        Without a GPU, the engine is the portable one.
        """
        if not self.portable and gpu is not None:
            return gpu.identity, gpu.compute_capability
        if gpu is not None and gpu.compute_capability in self.built_for:
            return '', gpu.compute_capability
        return '', f'{self.portable_to[0]}+'

    def _is_portable_to(self, gpu: Gpu) -> bool:
        here = gpu.compute_capability
        return here in self.portable_to or _number(here) > _number(self.portable_to[-1])


FULL = Kind(
    name='tensorrt',
    title='TensorRT',
    abbreviation='trt',
    # The last is NVIDIA's lean wheel on PyPI.
    modules=('tensorrt', 'tensorrt_lean', 'tensorrt_dispatch', 'tensorrt_lean_bindings'),
    packages=('tensorrt', 'cuda-python'),
    on_jetson='apt install python3-libnvinfer',
    build_takes='minutes',
)
RTX = Kind(
    name='tensorrt_rtx',
    title='TensorRT for RTX',
    abbreviation='rtx',
    # The first is that of `tensorrt-rtx`, which does nothing but import the second.
    modules=('tensorrt_rtx', 'tensorrt_rtx_bindings'),
    packages=('tensorrt-rtx', 'cuda-python'),
    build_takes='seconds',
    # NVIDIA, "CPU-Only AOT and TensorRT-RTX Engines": 8.0, 8.6, 8.9, 12.0 and later by default, 7.5 when told.
    portable_to=('8.0', '8.6', '8.9', '12.0'),
    built_for=('7.5',),
)
KINDS = (FULL, RTX)
"""The preferred first."""


def title_of(name: str) -> str:
    """Of the kind that a key names, which another version of the suite may have written."""
    return next((kind.title for kind in KINDS if kind.name == name), name)


def _number(capability: str) -> tuple[int, ...]:
    return tuple(int(part) for part in capability.split('.'))
