#!/usr/bin/env bash
# dlib's batch normalisation makes 316 out of 1 where the mean is 10,000.
#
# It takes the variance in float32 as the mean of squares less the square of the mean: both are
# about 1e8 there, where float32 steps by 8. The variance comes out as 0, so that only epsilon
# divides. The running variance becomes 0 as well.
#
# Debian 12, libdlib-dev 19.24+dfsg-1; 64 values of 9,999 and 10,001 in turn, epsilon 1e-5:
#     out -316.228 316.228, running variance 0
# where -1, 1 and 1 are right. Needs g++.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root -qq download \
    libdlib-dev=19.24+dfsg-1 libblas3=3.11.0-2 liblapack3=3.11.0-2 \
    libgfortran5=12.2.0-14+deb12u1 libquadmath0=12.2.0-14+deb12u1
for package in *.deb; do dpkg -x "$package" .; done
lib=usr/lib/$(gcc -print-multiarch)

cat >norm.cc <<'CC'
#include <cmath>
#include <cstdio>
#include <dlib/cuda/cpu_dlib.h>
using namespace dlib;

int main() {
    resizable_tensor x(64), out, means, inverse_deviations;
    resizable_tensor running_mean(1, 1), running_variance(1, 1), gamma(1, 1), beta(1, 1);
    running_mean = 0, running_variance = 1, gamma = 1, beta = 0;
    for (int i = 0; i < 64; i++) x.host()[i] = i % 2 ? 10001 : 9999;
    cpu::batch_normalize(1e-5, out, means, inverse_deviations, 1, running_mean, running_variance, x,
                         gamma, beta);
    std::printf("out %g %g, running variance %g\n", out.host()[0], out.host()[1],
                running_variance.host()[0]);
    return !(std::fabs(out.host()[1] - 316.228f) < 0.01f && running_variance.host()[0] == 0);
}
CC
g++ -w -O1 -DDLIB_NO_GUI_SUPPORT -Iusr/include norm.cc -o norm "$lib/libdlib.a" \
    "$lib/lapack/liblapack.so.3" "$lib/blas/libblas.so.3" -pthread -Wl,-rpath-link,"$lib"
if ! LD_LIBRARY_PATH=$lib:$lib/blas:$lib/lapack ./norm; then
    echo "changed: dlib's batch normalisation gives other values around a mean of 10,000" >&2
    exit 1
fi
echo "as seen: dlib's variance cancels"
