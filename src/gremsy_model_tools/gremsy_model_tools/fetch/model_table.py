# SPDX-License-Identifier: Apache-2.0
"""Detection models under permissive licences that their makers offer as ONNX: where each lies, and how it is fed.

Nothing here is made up: address, licence, input and hash were read where `sources` says, on 2026-11-29. No row has been
downloaded yet (`tried`), as there was no internet where this table was written. Where the maker publishes no SHA-256
the field is empty.

What is not here: RTMDet for COCO (OpenMMLab offers PyTorch files only), and RF-DETR, RT-DETR, DAMO-YOLO, PP-YOLOE and
PicoDet, which have not been looked into.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

NOT_TRIED = 'not tried'
COCO_CLASSES = (
    *('person', 'bicycle', 'car', 'motorcycle', 'airplane', 'bus', 'train', 'truck', 'boat', 'traffic light'),
    *('fire hydrant', 'stop sign', 'parking meter', 'bench', 'bird', 'cat', 'dog', 'horse', 'sheep', 'cow'),
    *('elephant', 'bear', 'zebra', 'giraffe', 'backpack', 'umbrella', 'handbag', 'tie', 'suitcase', 'frisbee'),
    *('skis', 'snowboard', 'sports ball', 'kite', 'baseball bat', 'baseball glove', 'skateboard', 'surfboard'),
    *('tennis racket', 'bottle', 'wine glass', 'cup', 'fork', 'knife', 'spoon', 'bowl', 'banana', 'apple'),
    *('sandwich', 'orange', 'broccoli', 'carrot', 'hot dog', 'pizza', 'donut', 'cake', 'chair', 'couch'),
    *('potted plant', 'bed', 'dining table', 'toilet', 'tv', 'laptop', 'mouse', 'remote', 'keyboard', 'cell phone'),
    *('microwave', 'oven', 'toaster', 'sink', 'refrigerator', 'book', 'clock', 'vase', 'scissors', 'teddy bear'),
    *('hair drier', 'toothbrush'),
)
# Of ImageNet, blue first, as OpenMMLab and NanoDet write it.
_IMAGENET_BGR = {'mean': '[103.53, 116.28, 123.675]', 'std': '[57.375, 57.12, 58.395]'}


@dataclass(frozen=True, slots=True)
class ModelFamily:
    """What networks of one design have in common.

    Attributes:
        stride_px: of their coarsest grid.
        fed: how they are fed and read, as far as the file does not say it (keys: the detector's README).
        sources: where address, licence, input and figures were read.
    """

    stride_px: int
    fed: Mapping[str, str]
    sources: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model.

    Attributes:
        name: what `fetch_model` calls it.
        title: for people.
        address: of the file, https.
        average_precision: COCO AP .5:.95 as its authors state it, %; None where they state another kind.
        side_px: of the network's input.
        family: its design.
        own_sources: where address, licence, input and hash were read, where that is not its family's.
        classes: in the order of their numbers.
        licence: SPDX name.
        sha256: of what lies at the address, as its publisher states it; empty where none does.
        member: the file inside the archive that the address leads to; empty where it leads to the model itself.
        remark: what one should know before choosing it.
        tried: when it was last downloaded and run, or that it never was.
    """

    name: str
    title: str
    address: str
    average_precision: float | None
    side_px: int
    family: ModelFamily
    own_sources: Mapping[str, str] = field(default_factory=dict)
    classes: tuple[str, ...] = COCO_CLASSES
    licence: str = 'Apache-2.0'
    sha256: str = ''
    member: str = ''
    remark: str = ''
    tried: str = NOT_TRIED

    @property
    def sources(self) -> dict[str, str]:
        """Where address, licence, input and hash were read."""
        return {**self.family.sources, **self.own_sources}

    @property
    def metadata(self) -> dict[str, str]:
        """What the detector must know and the file does not say, in the order in which it is added to the file."""
        return {
            'task': 'detect',
            'names': repr(dict(enumerate(self.classes))),
            'imgsz': f'[{self.side_px}, {self.side_px}]',
            'stride': str(self.family.stride_px),
            'description': self.title,
            **self.family.fed,
        }


_YOLOX_FILES = 'https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0'
_YOLOX_AT = 'github.com/Megvii-BaseDetection/YOLOX at 6ddff48'
_YOLOX = ModelFamily(
    32,
    {'layout': 'yolox', 'channel_order': 'bgr', 'resize': 'top_left', 'mean': '[0, 0, 0]', 'std': '[1, 1, 1]'},
    {
        'address': f'{_YOLOX_AT}, demo/ONNXRuntime/README.md',
        'licence': f'{_YOLOX_AT}, LICENSE (the repository; the weights state none of their own)',
        'input': f'{_YOLOX_AT}, demo/ONNXRuntime/onnx_inference.py, yolox/data/data_augment.py (preproc)',
        'average precision': f'{_YOLOX_AT}, demo/ONNXRuntime/README.md',
    },
)
_NANODET_FILES = 'https://github.com/RangiLyu/nanodet/releases/download/v1.0.0-alpha-1'
_NANODET_AT = 'github.com/RangiLyu/nanodet at be9b4a9'
_NANODET = ModelFamily(
    64,
    {'layout': 'nanodet_plus', 'channel_order': 'bgr', 'resize': 'stretch', **_IMAGENET_BGR},
    {
        'address': 'the files of release v1.0.0-alpha-1, as sourceforge.net/projects/nanodet-plus.mirror lists them',
        'licence': f'{_NANODET_AT}, LICENSE',
        'input': f'{_NANODET_AT}, config/nanodet-plus-m_416.yml (keep_ratio, normalize)',
        'average precision': f'{_NANODET_AT}, README.md',
    },
)
_MMPOSE_AT = 'github.com/open-mmlab/mmpose at 759b39c'
_RTMDET = ModelFamily(
    32,
    {'layout': 'dets_labels', 'channel_order': 'bgr', 'resize': 'top_left', **_IMAGENET_BGR},
    {
        'address': f'{_MMPOSE_AT}, projects/rtmpose/README.md (SDK models)',
        'licence': f'{_MMPOSE_AT}, LICENSE',
        'input': f'{_MMPOSE_AT}, projects/rtmpose/rtmdet/person/rtmdet_nano_320-8xb32_coco-person.py; '
        'github.com/Tau-J/rtmlib at 2f36e3b, rtmlib/tools/object_detection/rtmdet.py (normalisation)',
    },
)
_DFINE_FILES = 'https://huggingface.co/onnx-community'
_DFINE = ModelFamily(
    32,
    {'resize': 'stretch'},
    {
        'licence': 'github.com/Peterande/D-FINE at 4a1f73a, LICENSE; model card of '
        'huggingface.co/ustc-community/dfine-*',
        'input': 'model card of huggingface.co/inference4j/dfine-small-coco, an export of the same weights',
        'average precision': 'github.com/Peterande/D-FINE at 4a1f73a, README.md',
    },
)
_BY_HUGGING_FACE = "Exported by Hugging Face's onnx-community: D-FINE's authors offer PyTorch files only."
_DFINE_L_AT = 'huggingface.co/onnx-community/dfine_l_coco-ONNX/blob/main/onnx/model.onnx'
_ZOO_AT = 'github.com/opencv/opencv_zoo at 966be4c'

_ROWS = (
    ModelRow('yolox_nano', 'YOLOX-Nano', f'{_YOLOX_FILES}/yolox_nano.onnx', 25.8, 416, _YOLOX),
    ModelRow('yolox_tiny', 'YOLOX-Tiny', f'{_YOLOX_FILES}/yolox_tiny.onnx', 32.8, 416, _YOLOX),
    ModelRow(
        'yolox_s',
        'YOLOX-s',
        'https://github.com/opencv/opencv_zoo/raw/966be4cb6eefc2a4f586ed0581bf4bbaa2533070/models/'
        'object_detection_yolox/object_detection_yolox_2022nov.onnx',
        40.5,
        640,
        _YOLOX,
        {
            'address': f'{_ZOO_AT}, models/object_detection_yolox',
            'licence': f'{_ZOO_AT}, models/object_detection_yolox/LICENSE',
            'sha256': f'{_ZOO_AT}, the Git LFS pointer of the file itself',
        },
        sha256='c5c2d13e59ae883e6af3b45daea64af4833a4951c92d116ec270d9ddbe998063',
        remark="Megvii's yolox_s.onnx as OpenCV's model zoo keeps it, which publishes its hash.",
    ),
    ModelRow(
        'nanodet_plus_m_416', 'NanoDet-Plus-m 416', f'{_NANODET_FILES}/nanodet-plus-m_416.onnx', 30.4, 416, _NANODET
    ),
    ModelRow(
        'nanodet_plus_m_1.5x_416',
        'NanoDet-Plus-m-1.5x 416',
        f'{_NANODET_FILES}/nanodet-plus-m-1.5x_416.onnx',
        34.1,
        416,
        _NANODET,
    ),
    ModelRow(
        'rtmdet_nano_person',
        'RTMDet-nano, people only',
        'https://download.openmmlab.com/mmpose/v1/projects/rtmpose/rtmpose-cpu.zip',
        None,
        320,
        _RTMDET,
        classes=('person',),
        member='rtmpose-ort/rtmdet-nano/end2end.onnx',
        remark="40.3 AP on people by its authors' figures. Trained with Objects365 too, for academic use only.",
    ),
    ModelRow(
        'dfine_n',
        'D-FINE-N',
        f'{_DFINE_FILES}/dfine-nano-coco-ONNX/resolve/main/onnx/model.onnx',
        42.8,
        640,
        _DFINE,
        {'address': 'huggingface.co/onnx-community/dfine-nano-coco-ONNX'},
        remark=_BY_HUGGING_FACE,
    ),
    ModelRow(
        'dfine_s',
        'D-FINE-S',
        f'{_DFINE_FILES}/dfine_s_coco-ONNX/resolve/a3cf03147a9b86c78475139115c8ac142577352d/onnx/model.onnx',
        48.5,
        640,
        _DFINE,
        {'address': 'github.com/kiarina/labs, 2026/07/09/dfine-object-detection (an experiment that ran the file)'},
        remark=_BY_HUGGING_FACE,
    ),
    ModelRow(
        'dfine_l',
        'D-FINE-L',
        f'{_DFINE_FILES}/dfine_l_coco-ONNX/resolve/main/onnx/model.onnx',
        54.0,
        640,
        _DFINE,
        {'address': _DFINE_L_AT, 'sha256': _DFINE_L_AT},
        sha256='d678f3baebfb909d3a20f21d1d807544d0172ed47fa1ab88e7fcdec7e365b236',
        remark=f'{_BY_HUGGING_FACE} For a GPU.',
    ),
)


def model_rows() -> dict[str, ModelRow]:
    """The table, by name."""
    return {row.name: row for row in _ROWS}
