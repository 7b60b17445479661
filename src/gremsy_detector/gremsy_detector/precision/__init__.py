# SPDX-License-Identifier: Apache-2.0
"""How exactly a model computes: rewriting an ONNX file to fp16 or int8, and measuring what that costs."""
