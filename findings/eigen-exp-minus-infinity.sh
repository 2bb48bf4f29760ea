#!/usr/bin/env bash
# Eigen: exp of minus infinity is 0 or not by its place in the array.
#
# Elements that fill a vector register are raised to about -88 (in double -709) first, those left
# over at the end go to the C library. So a class that is masked out by a score of -inf keeps a
# probability, unless it stands at the end of its row.
#
# Debian 12, libeigen3-dev 3.4.0-4, g++ -O2 on x86-64, five times -inf in float and in double:
#     float: 2.9e-39 2.9e-39 2.9e-39 2.9e-39 0
#     double: 5.6e-309 5.6e-309 5.6e-309 5.6e-309 0
# Needs g++.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root -qq download libeigen3-dev=3.4.0-4
dpkg -x libeigen3-dev_*.deb .

cat >mask.cc <<'CC'
#include <Eigen/Core>
#include <cmath>
#include <cstdio>

template <class Array> static bool by_place(const char *name) {
    Array exps = Array::Constant(5, -INFINITY).exp();
    std::printf("%s:", name);
    for (double value : exps) std::printf(" %.2g", value);
    std::printf("\n");
    return exps[0] > 0 && exps[4] == 0;
}

int main() {
    bool floats = by_place<Eigen::ArrayXf>("float"), doubles = by_place<Eigen::ArrayXd>("double");
    return !(floats && doubles);
}
CC
g++ -O2 -Iusr/include/eigen3 mask.cc -o mask
if ! ./mask; then
    echo "changed: Eigen's exp of minus infinity is 0 everywhere, or nowhere" >&2
    exit 1
fi
echo "as seen: Eigen's exp of minus infinity depends on the place"
