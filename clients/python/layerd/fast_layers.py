"""The course's fast_layers.py, computed by a layerd daemon: its names are others for the naive ones
of layerd.layers, and have no conditions on sizes. Where numbers of a window are equal, the first of
them has the gradient.
"""
import numpy as np  # noqa: F401  pylint: disable=unused-import

from . import layers as _layers

conv_forward_fast = conv_forward_im2col = conv_forward_strides = _layers.conv_forward_naive
conv_backward_fast = conv_backward_im2col = conv_backward_strides = _layers.conv_backward_naive
max_pool_forward_fast = max_pool_forward_im2col = max_pool_forward_reshape = (
    _layers.max_pool_forward_naive)
max_pool_backward_fast = max_pool_backward_im2col = max_pool_backward_reshape = (
    _layers.max_pool_backward_naive)
