#!/usr/bin/env bash
# Which BLAS is installed decides whether NaN survives: 0 times NaN is 0 in OpenBLAS's dscal.
#
# Debian has several packages provide libblas.so.3, one program runs on any of them. dscal by 0
# multiplies in the reference BLAS, so NaN and infinity become NaN; OpenBLAS stores zeros, in its
# code for each of seven kinds of x86 processor that were tried. dger is the other way round: the
# reference skips a zero in its vector, so 0 times infinity is 0, while OpenBLAS says NaN.
#
# Debian 12, libblas3 3.11.0-2 and libopenblas0-serial 0.3.21+ds-4:
#     reference:  scal nan nan 0   ger 0
#     OpenBLAS:   scal 0 0 0   ger nan
# Needs gcc.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root -qq download \
    libblas3=3.11.0-2 libopenblas0-serial=0.3.21+ds-4 libgfortran5=12.2.0-14+deb12u1
for package in *.deb; do dpkg -x "$package" .; done
lib=usr/lib/$(gcc -print-multiarch)

cat >nan.c <<'C'
#include <math.h>
#include <stdio.h>

void dscal_(int *n, double *alpha, double *x, int *step);
void dger_(int *m, int *n, double *alpha, double *x, int *xstep, double *y, int *ystep, double *a,
           int *lead);

static double plain(double value) { return isnan(value) ? NAN : value; /* without its sign */ }

int main(void) {
    int one = 1, three = 3;
    double zero = 0, unit = 1, x[] = {NAN, INFINITY, 2}, infinite = INFINITY, a = 0;
    dscal_(&three, &zero, x, &one);
    dger_(&one, &one, &unit, &infinite, &one, &zero, &one, &a, &one);
    printf("scal %g %g %g   ger %g\n", plain(x[0]), plain(x[1]), plain(x[2]), plain(a));
}
C
gcc -O1 nan.c -o nan "$lib/blas/libblas.so.3" -lm
reference=$(LD_LIBRARY_PATH=$lib/blas:$lib ./nan)
openblas=$(LD_LIBRARY_PATH=$lib/openblas-serial:$lib ./nan)
printf 'reference:  %s\nOpenBLAS:   %s\n' "$reference" "$openblas"
if [ "$reference" != "scal nan nan 0   ger 0" ] || [ "$openblas" != "scal 0 0 0   ger nan" ]; then
    echo "changed: the reference BLAS and OpenBLAS treat 0 times NaN or infinity otherwise" >&2
    exit 1
fi
echo "as seen: the two disagree on 0 times NaN, in both directions"
