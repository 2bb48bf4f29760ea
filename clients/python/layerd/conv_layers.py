"""ECE 239AS's conv_layers.py, computed by a layerd daemon: like CS231n's, layerd.layers has its
functions beside those of the first homework."""
from .layers import *  # noqa: F401,F403  pylint: disable=wildcard-import,unused-wildcard-import
