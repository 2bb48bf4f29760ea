"""The course's layer_utils.py and ECE 239AS's conv_layer_utils.py: layers that often stand together,
computed by a layerd daemon. Their caches are tuples of the layers' own."""
# pylint: disable=wildcard-import,unused-wildcard-import
from .layers import *  # noqa: F401,F403
from .fast_layers import *  # noqa: F401,F403

_Result = tuple[np.ndarray, tuple]  # out, cache
_Gradients = tuple[np.ndarray, ...]


def affine_relu_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> _Result:
    """affine, relu: x (N, *D), w (D, M), b (M,) -> out (N, M), cache"""
    a, affine = affine_forward(x, w, b)
    out, relu = relu_forward(a)
    return out, (affine, relu)


def affine_relu_backward(dout: np.ndarray, cache: tuple) -> _Gradients:
    """dout (N, M), cache -> dx, dw, db"""
    affine, relu = cache
    return affine_backward(relu_backward(dout, relu), affine)


def affine_bn_relu_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray, gamma: np.ndarray,
                           beta: np.ndarray, bn_param: dict) -> _Result:
    """affine, batchnorm, relu: x (N, *D), w (D, M), b (M,), gamma (M,), beta (M,), bn_param
    -> out (N, M), cache"""
    a, affine = affine_forward(x, w, b)
    a, norm = batchnorm_forward(a, gamma, beta, bn_param)
    out, relu = relu_forward(a)
    return out, (affine, norm, relu)


def affine_bn_relu_backward(dout: np.ndarray, cache: tuple) -> _Gradients:
    """dout (N, M), cache -> dx, dw, db, dgamma, dbeta"""
    affine, norm, relu = cache
    da, dgamma, dbeta = batchnorm_backward(relu_backward(dout, relu), norm)
    return (*affine_backward(da, affine), dgamma, dbeta)


def affine_ln_relu_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray, gamma: np.ndarray,
                           beta: np.ndarray, ln_param: dict) -> _Result:
    """affine, layernorm, relu: x (N, *D), w (D, M), b (M,), gamma (M,), beta (M,), ln_param
    -> out (N, M), cache"""
    a, affine = affine_forward(x, w, b)
    a, norm = layernorm_forward(a, gamma, beta, ln_param)
    out, relu = relu_forward(a)
    return out, (affine, norm, relu)


def affine_ln_relu_backward(dout: np.ndarray, cache: tuple) -> _Gradients:
    """dout (N, M), cache -> dx, dw, db, dgamma, dbeta"""
    affine, norm, relu = cache
    da, dgamma, dbeta = layernorm_backward(relu_backward(dout, relu), norm)
    return (*affine_backward(da, affine), dgamma, dbeta)


def conv_relu_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray, conv_param: dict) -> _Result:
    """conv, relu: x (N, C, H, W), w (F, C, R, S), b (F,), conv_param -> out (N, F, P, Q), cache"""
    a, conv = conv_forward_fast(x, w, b, conv_param)
    out, relu = relu_forward(a)
    return out, (conv, relu)


def conv_relu_backward(dout: np.ndarray, cache: tuple) -> _Gradients:
    """dout (N, F, P, Q), cache -> dx, dw, db"""
    conv, relu = cache
    return conv_backward_fast(relu_backward(dout, relu), conv)


def conv_bn_relu_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray, gamma: np.ndarray,
                         beta: np.ndarray, conv_param: dict, bn_param: dict) -> _Result:
    """conv, spatial_batchnorm, relu: x (N, C, H, W), w (F, C, R, S), b (F,), gamma (F,), beta (F,),
    conv_param, bn_param -> out (N, F, P, Q), cache"""
    a, conv = conv_forward_fast(x, w, b, conv_param)
    a, norm = spatial_batchnorm_forward(a, gamma, beta, bn_param)
    out, relu = relu_forward(a)
    return out, (conv, norm, relu)


def conv_bn_relu_backward(dout: np.ndarray, cache: tuple) -> _Gradients:
    """dout (N, F, P, Q), cache -> dx, dw, db, dgamma, dbeta"""
    conv, norm, relu = cache
    da, dgamma, dbeta = spatial_batchnorm_backward(relu_backward(dout, relu), norm)
    return (*conv_backward_fast(da, conv), dgamma, dbeta)


def conv_relu_pool_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray, conv_param: dict,
                           pool_param: dict) -> _Result:
    """conv, relu, max_pool: x (N, C, H, W), w (F, C, R, S), b (F,), conv_param, pool_param
    -> out (N, F, P, Q), cache"""
    a, conv = conv_forward_fast(x, w, b, conv_param)
    a, relu = relu_forward(a)
    out, pool = max_pool_forward_fast(a, pool_param)
    return out, (conv, relu, pool)


def conv_relu_pool_backward(dout: np.ndarray, cache: tuple) -> _Gradients:
    """dout (N, F, P, Q), cache -> dx, dw, db"""
    conv, relu, pool = cache
    da = relu_backward(max_pool_backward_fast(dout, pool), relu)
    return conv_backward_fast(da, conv)
