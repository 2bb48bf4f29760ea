#!/usr/bin/env bash
# NumPy's float32 variance of a column is 56 where it is 1: sums along axis 0 are not pairwise.
#
# Along the last axis NumPy sums in pairs, so that errors stay small. Along axis 0 of a matrix, as
# batch statistics and the gradient of a bias are taken, it adds row to row. The same numbers,
# transposed, are summed far better.
#
# Debian 12, python3-numpy 1.24.2-1+deb12u1; 100,000 normal numbers around 10,000, and 4,096 ones:
#     float32 variance: axis 0 56.1, axis 1 0.996
#     float16 sum: axis 0 2048, axis 1 4096
# Needs Python 3.11.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root -qq download \
    python3-numpy=1:1.24.2-1+deb12u1 libblas3=3.11.0-2 liblapack3=3.11.0-2 \
    libgfortran5=12.2.0-14+deb12u1 libquadmath0=12.2.0-14+deb12u1
for package in *.deb; do dpkg -x "$package" .; done
lib=usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)

cat >axes.py <<'PYTHON'
import numpy as np

x = np.random.RandomState(0).randn(100000, 2).astype(np.float32) + np.float32(10000)
rows = np.ascontiguousarray(x.T)
down, along = x.var(axis=0)[0], rows.var(axis=1)[0]
print("float32 variance: axis 0 %.3g, axis 1 %.3g" % (down, along))
ones = np.ones((4096, 2), np.float16)
sums = ones.sum(axis=0)[0], np.ascontiguousarray(ones.T).sum(axis=1)[0]
print("float16 sum: axis 0 %g, axis 1 %g" % sums)
raise SystemExit(not (down > 10 and abs(along - 1) < 0.01 and sums == (2048, 4096)))
PYTHON
if ! LD_LIBRARY_PATH=$lib/blas:$lib/lapack:$lib PYTHONPATH=usr/lib/python3/dist-packages \
        /usr/bin/python3 axes.py; then
    echo "changed: NumPy's sums along axis 0 are as good as those along axis 1" >&2
    exit 1
fi
echo "as seen: NumPy sums the two axes differently"
