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
class ModelRow:
    """One model.

    Attributes:
        name: what `fetch_model` calls it.
        title: for people.
        address: of the file, https.
        licence: SPDX name.
        average_precision: COCO AP .5:.95 as its authors state it, %; None where they state another kind.
        metadata: what the detector must know and the file does not say (its keys: the detector's README).
        sources: where address, licence, input and hash were read.
        sha256: of what lies at the address, as its publisher states it; empty where none does.
        member: the file inside the archive that the address leads to; empty where it leads to the model itself.
        remark: what one should know before choosing it.
        tried: when it was last downloaded and run, or that it never was.
    """

    name: str
    title: str
    address: str
    licence: str
    average_precision: float | None
    metadata: Mapping[str, str]
    sources: Mapping[str, str]
    sha256: str = ''
    member: str = ''
    remark: str = ''
    tried: str = field(default=NOT_TRIED)


def _names(*classes: str) -> str:
    return repr(dict(enumerate(classes)))


def _fed(side_px: int, stride_px: int, classes: tuple[str, ...], **more: str) -> dict[str, str]:
    return {
        'task': 'detect',
        'names': _names(*classes),
        'imgsz': f'[{side_px}, {side_px}]',
        'stride': str(stride_px),
        **more,
    }


def _yolox(title: str, side_px: int) -> dict[str, str]:
    return _fed(
        side_px,
        32,
        COCO_CLASSES,
        description=title,
        layout='yolox',
        channel_order='bgr',
        resize='top_left',
        mean='[0, 0, 0]',
        std='[1, 1, 1]',
    )


def _nanodet_plus(title: str) -> dict[str, str]:
    fed = _fed(416, 64, COCO_CLASSES, description=title, layout='nanodet_plus', channel_order='bgr', resize='stretch')
    return {**fed, **_IMAGENET_BGR}


def _dfine(title: str) -> dict[str, str]:
    return _fed(640, 32, COCO_CLASSES, description=title, resize='stretch')


_YOLOX_AT = 'github.com/Megvii-BaseDetection/YOLOX at 6ddff48'
_YOLOX_SOURCES = {
    'address': f'{_YOLOX_AT}, demo/ONNXRuntime/README.md',
    'licence': f'{_YOLOX_AT}, LICENSE (the repository; the weights state none of their own)',
    'input': f'{_YOLOX_AT}, demo/ONNXRuntime/onnx_inference.py, yolox/data/data_augment.py (preproc)',
    'average precision': f'{_YOLOX_AT}, demo/ONNXRuntime/README.md',
}
_NANODET_AT = 'github.com/RangiLyu/nanodet at be9b4a9'
_NANODET_SOURCES = {
    'address': 'the files of release v1.0.0-alpha-1, as sourceforge.net/projects/nanodet-plus.mirror lists them',
    'licence': f'{_NANODET_AT}, LICENSE',
    'input': f'{_NANODET_AT}, config/nanodet-plus-m_416.yml (keep_ratio, normalize)',
    'average precision': f'{_NANODET_AT}, README.md',
}
_DFINE_SOURCES = {
    'licence': 'github.com/Peterande/D-FINE at 4a1f73a, LICENSE; model card of huggingface.co/ustc-community/dfine-*',
    'input': 'model card of huggingface.co/inference4j/dfine-small-coco, an export of the same weights',
    'average precision': 'github.com/Peterande/D-FINE at 4a1f73a, README.md',
}
_BY_HUGGING_FACE = "Exported by Hugging Face's onnx-community: D-FINE's authors offer PyTorch files only."

_ROWS = (
    ModelRow(
        name='yolox_nano',
        title='YOLOX-Nano',
        address='https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0/yolox_nano.onnx',
        licence='Apache-2.0',
        average_precision=25.8,
        metadata=_yolox('YOLOX-Nano', 416),
        sources=_YOLOX_SOURCES,
    ),
    ModelRow(
        name='yolox_tiny',
        title='YOLOX-Tiny',
        address='https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0/yolox_tiny.onnx',
        licence='Apache-2.0',
        average_precision=32.8,
        metadata=_yolox('YOLOX-Tiny', 416),
        sources=_YOLOX_SOURCES,
    ),
    ModelRow(
        name='yolox_s',
        title='YOLOX-s',
        address='https://github.com/opencv/opencv_zoo/raw/966be4cb6eefc2a4f586ed0581bf4bbaa2533070/models/'
        'object_detection_yolox/object_detection_yolox_2022nov.onnx',
        licence='Apache-2.0',
        average_precision=40.5,
        metadata=_yolox('YOLOX-s', 640),
        sources={
            **_YOLOX_SOURCES,
            'address': 'github.com/opencv/opencv_zoo at 966be4c, models/object_detection_yolox',
            'licence': 'github.com/opencv/opencv_zoo at 966be4c, models/object_detection_yolox/LICENSE',
            'sha256': 'github.com/opencv/opencv_zoo at 966be4c, the Git LFS pointer of the file itself',
        },
        sha256='c5c2d13e59ae883e6af3b45daea64af4833a4951c92d116ec270d9ddbe998063',
        remark="Megvii's yolox_s.onnx as OpenCV's model zoo keeps it, which publishes its hash.",
    ),
    ModelRow(
        name='nanodet_plus_m_416',
        title='NanoDet-Plus-m 416',
        address='https://github.com/RangiLyu/nanodet/releases/download/v1.0.0-alpha-1/nanodet-plus-m_416.onnx',
        licence='Apache-2.0',
        average_precision=30.4,
        metadata=_nanodet_plus('NanoDet-Plus-m 416'),
        sources=_NANODET_SOURCES,
    ),
    ModelRow(
        name='nanodet_plus_m_1.5x_416',
        title='NanoDet-Plus-m-1.5x 416',
        address='https://github.com/RangiLyu/nanodet/releases/download/v1.0.0-alpha-1/nanodet-plus-m-1.5x_416.onnx',
        licence='Apache-2.0',
        average_precision=34.1,
        metadata=_nanodet_plus('NanoDet-Plus-m-1.5x 416'),
        sources=_NANODET_SOURCES,
    ),
    ModelRow(
        name='rtmdet_nano_person',
        title='RTMDet-nano, people only',
        address='https://download.openmmlab.com/mmpose/v1/projects/rtmpose/rtmpose-cpu.zip',
        licence='Apache-2.0',
        average_precision=None,
        metadata={
            **_fed(320, 32, ('person',), description='RTMDet-nano, people only', layout='dets_labels'),
            'channel_order': 'bgr',
            'resize': 'top_left',
            **_IMAGENET_BGR,
        },
        sources={
            'address': 'github.com/open-mmlab/mmpose at 759b39c, projects/rtmpose/README.md (SDK models)',
            'licence': 'github.com/open-mmlab/mmpose at 759b39c, LICENSE',
            'input': 'github.com/open-mmlab/mmpose at 759b39c, projects/rtmpose/rtmdet/person/'
            'rtmdet_nano_320-8xb32_coco-person.py; github.com/Tau-J/rtmlib at 2f36e3b, '
            'rtmlib/tools/object_detection/rtmdet.py (normalisation)',
        },
        member='rtmpose-ort/rtmdet-nano/end2end.onnx',
        remark="40.3 AP on people by its authors' figures. Trained with Objects365 too, for academic use only.",
    ),
    ModelRow(
        name='dfine_n',
        title='D-FINE-N',
        address='https://huggingface.co/onnx-community/dfine-nano-coco-ONNX/resolve/main/onnx/model.onnx',
        licence='Apache-2.0',
        average_precision=42.8,
        metadata=_dfine('D-FINE-N'),
        sources={**_DFINE_SOURCES, 'address': 'huggingface.co/onnx-community/dfine-nano-coco-ONNX'},
        remark=_BY_HUGGING_FACE,
    ),
    ModelRow(
        name='dfine_s',
        title='D-FINE-S',
        address='https://huggingface.co/onnx-community/dfine_s_coco-ONNX/resolve/'
        'a3cf03147a9b86c78475139115c8ac142577352d/onnx/model.onnx',
        licence='Apache-2.0',
        average_precision=48.5,
        metadata=_dfine('D-FINE-S'),
        sources={
            **_DFINE_SOURCES,
            'address': 'github.com/kiarina/labs, 2026/07/09/dfine-object-detection (an experiment that ran the file)',
        },
        remark=_BY_HUGGING_FACE,
    ),
    ModelRow(
        name='dfine_l',
        title='D-FINE-L',
        address='https://huggingface.co/onnx-community/dfine_l_coco-ONNX/resolve/main/onnx/model.onnx',
        licence='Apache-2.0',
        average_precision=54.0,
        metadata=_dfine('D-FINE-L'),
        sources={
            **_DFINE_SOURCES,
            'address': 'huggingface.co/onnx-community/dfine_l_coco-ONNX/blob/main/onnx/model.onnx',
            'sha256': 'huggingface.co/onnx-community/dfine_l_coco-ONNX/blob/main/onnx/model.onnx',
        },
        sha256='d678f3baebfb909d3a20f21d1d807544d0172ed47fa1ab88e7fcdec7e365b236',
        remark=f'{_BY_HUGGING_FACE} For a GPU.',
    ),
)


def model_rows() -> dict[str, ModelRow]:
    """The table, by name."""
    return {row.name: row for row in _ROWS}
