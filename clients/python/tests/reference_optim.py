"""An optim.py in NumPy alone, as a student would write it: what layerd.optim must agree with."""
# pylint: disable=wildcard-import,unused-wildcard-import
from layerd.grading.planted.optim import *
