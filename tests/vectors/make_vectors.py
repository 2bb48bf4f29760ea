#!/usr/bin/python3
"""Writes the conformance vectors beside this file. README.md has their format.

Expected values come from oracle.py and the oracle_*.py beside it, which are first checked against
numerical gradients and against the numbers that the course CS231n publishes with its assignments.
"""
import numpy as np

import oracle
import oracle_conv
import oracle_graph
import oracle_norms
import oracle_updates
from cases_affine import affine_cases, relu_cases
from cases_batchnorm import batchnorm_cases
from cases_conv import conv_cases, max_pool_cases
from cases_dropout import dropout_cases
from cases_graph import graph_cases
from cases_graph_kept import graph_kept_cases
from cases_loss import softmax_cases, svm_cases
from cases_norms import layernorm_cases, spatial_batchnorm_cases, spatial_groupnorm_cases
from cases_updates import adam_cases, rmsprop_cases, sgd_cases, sgd_momentum_cases
from error_cases import error_cases
from error_cases_graph import error_graph_cases
from vectorfile import write

FILES = [
    ("affine", "affine: out = reshape(x, (N, D)) . w + b", affine_cases),
    ("relu", "relu: out = max(x, 0)", relu_cases),
    ("batchnorm", "batchnorm: normalisation of each feature over the batch", batchnorm_cases),
    ("dropout", "dropout: inverted dropout with NumPy's legacy random numbers", dropout_cases),
    ("svm", "svm: multiclass hinge loss of margin 1", svm_cases),
    ("softmax", "softmax: cross-entropy", softmax_cases),
    ("layernorm", "layernorm: normalisation of each example over its features", layernorm_cases),
    ("conv", "conv: cross-correlation of images with kernels", conv_cases),
    ("max_pool", "max_pool: the largest of each window", max_pool_cases),
    ("spatial_batchnorm", "spatial_batchnorm: normalisation of each channel over the batch",
     spatial_batchnorm_cases),
    ("spatial_groupnorm", "spatial_groupnorm: normalisation of each example's groups of channels",
     spatial_groupnorm_cases),
    ("sgd", "sgd: next_w = w - learning_rate * dw", sgd_cases),
    ("sgd_momentum", "sgd_momentum: gradient descent with momentum", sgd_momentum_cases),
    ("rmsprop", "rmsprop: steps over the root of the mean square of the gradients", rmsprop_cases),
    ("adam", "adam: both means of the gradients, corrected for their beginning", adam_cases),
    ("errors", "requests that are refused, each for one reason", error_cases),
    ("graphs/graph", "graphs: several operations in one call, and values that stay",
     lambda: [*graph_cases(), *graph_kept_cases()]),
    ("graphs/graph_errors", "graphs that are refused, each for one reason", error_graph_cases),
]


def main():
    for formulas in oracle, oracle_conv, oracle_norms, oracle_updates, oracle_graph:
        formulas.check()
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for name, about, cases in FILES:
            write(name, about, list(cases()))


if __name__ == "__main__":
    main()
