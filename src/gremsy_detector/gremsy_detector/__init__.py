# SPDX-License-Identifier: Apache-2.0
"""YOLO detections from image_raw; ONNX Runtime back end and the default model."""
