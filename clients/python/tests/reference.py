"""A layers.py in NumPy alone, as a student would write it: what layerd.layers must agree with."""
# pylint: disable=wildcard-import,unused-wildcard-import
from layerd.grading.planted.layers import *

conv_forward_fast, conv_backward_fast = conv_forward_naive, conv_backward_naive
max_pool_forward_fast, max_pool_backward_fast = max_pool_forward_naive, max_pool_backward_naive
