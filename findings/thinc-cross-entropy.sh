#!/usr/bin/env bash
# thinc: the loss of CategoricalCrossentropy is no cross-entropy but a sum of squares.
#
# Its gradient is that of the cross-entropy behind a softmax, divided by the number of rows unless
# told not to. Its loss is that gradient squared and summed: each row counts by one over the square
# of their number, so that the same rows twice halve it, and a row costs 2 at most, not infinity.
#
# Debian 12, python3-thinc 8.1.7-1, the right class given 0.5 and 0.75 of two:
#     loss 0.15625, with each row twice 0.078125, with 0 for the right class 2
# where 0.4904, 0.4904 and inf are cross-entropies. Needs Python 3.11.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root -qq download \
    python3-thinc=8.1.7-1 python3-catalogue=2.1.0-4 python3-confection=0.0.4-2 \
    python3-cymem=2.0.6-1+b3 python3-cython-blis=0.9.1-1+b1 python3-murmurhash=1.0.9+dfsg-1 \
    python3-packaging=23.0-1 python3-preshed=3.0.8-1+b1 python3-pydantic=1.10.4-1+deb12u1 \
    python3-srsly=2.4.5-1+b2 python3-typing-extensions=4.4.0-1 python3-wasabi=0.10.1-2 \
    python3-numpy=1:1.24.2-1+deb12u1 libblas3=3.11.0-2 liblapack3=3.11.0-2 \
    libgfortran5=12.2.0-14+deb12u1 libquadmath0=12.2.0-14+deb12u1
for package in *.deb; do dpkg -x "$package" .; done
lib=usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)

cat >loss.py <<'PYTHON'
import numpy as np
from thinc.api import CategoricalCrossentropy

loss = CategoricalCrossentropy()
guesses, right = np.array([[0.5, 0.5], [0.25, 0.75]], np.float32), np.array([0, 1])
once = loss.get_loss(guesses, right)
twice = loss.get_loss(np.tile(guesses, (2, 1)), np.tile(right, 2))
none = loss.get_loss(np.array([[0, 1]], np.float32), np.array([0]))
print("loss %g, with each row twice %g, with 0 for the right class %g" % (once, twice, none))
raise SystemExit((once, twice, none) != (0.15625, 0.078125, 2))
PYTHON
if ! LD_LIBRARY_PATH=$lib/blas:$lib/lapack:$lib PYTHONPATH=usr/lib/python3/dist-packages \
        /usr/bin/python3 -W ignore loss.py; then
    echo "changed: thinc's loss is another function of the guesses" >&2
    exit 1
fi
echo "as seen: thinc's cross-entropy is the square of its gradient"
