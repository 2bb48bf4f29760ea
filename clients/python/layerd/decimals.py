"""Numbers as JSON writes them, so that they are read back to the same bits."""
import json

import numpy as np

_MANY = 100  # from so many numbers on, arithmetic on whole arrays is the faster way


def written(array: np.ndarray) -> bytes:
    """The numbers of an array in C order, by commas. Few are written as short as can be, to be read
    by eye. Python needs some 0.6 us for each of these; many are written with 18 digits and an
    exponent, which takes a tenth of that."""
    if array.size < _MANY or array.dtype.kind != "f" or not _IS_WIDE or not np.isfinite(array).all():
        return json.dumps(array.ravel().tolist(), separators=(",", ":"))[1:-1].encode()
    values = array.ravel()
    exponents = np.frexp(values)[1]  # a value is less than 2 to this
    digits = np.abs(values).astype(np.longdouble)
    digits *= _SCALES[exponents - _LEAST]
    left = np.rint(digits).astype(np.int64)
    records = np.empty(values.size, _RECORD)
    records["sign"] = _SIGNS[np.signbit(values).view(np.uint8)]
    records["point"] = b"0."
    for place in "fourth", "third", "second", "first":
        higher = left // 10000
        records[place] = _FOURS[left - higher * 10000]
        left = higher
    records["top"] = _TWOS[left]
    records["end"] = _ENDS[exponents - _LEAST]
    return records.tobytes()[:-1]


# A number is a record of this: " 0.123456789012345678e+005,". An error of 1 in the last of 18 digits
# is less than a tenth of the distance to the nearest other float64.
_RECORD = np.dtype([("sign", "S1"), ("point", "S2"), ("top", "S2"), ("first", "S4"),
                    ("second", "S4"), ("third", "S4"), ("fourth", "S4"), ("end", "S6")])
_SIGNS = np.array([b" ", b"-"])
_TWOS = np.array([b"%02d" % i for i in range(100)])
_FOURS = np.array([b"%04d" % i for i in range(10000)])

# By an exponent of 2, from the least of a float64 on: the power of 10 that is just not below it.
_LEAST = -1074
_TENS = [int(ten) for ten in np.ceil(np.arange(_LEAST, 1025) * np.log10(2))]
_ENDS = np.array([b"e%+04d," % ten for ten in _TENS])
_SCALES = np.longdouble(10) ** (18 - np.array(_TENS))
_IS_WIDE = np.finfo(np.longdouble).nmant >= 63  # an x86's; digits would be lost with a float64
