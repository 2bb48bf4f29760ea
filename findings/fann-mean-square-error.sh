#!/usr/bin/env bash
# FANN: behind a tanh the mean square error is a quarter of the mean of the squared errors.
#
# The difference is halved first where the output function reaches from -1 to 1, so that it compares
# with one from 0 to 1. The same outputs behind a linear unit have four times that error, and a
# target for it that was met before is missed.
#
# Debian 12, libfann2 2.2.0+ds-8, all weights 0, so that 0 comes out, where 1 was wanted:
#     linear: out 0, error 1
#     tanh: out 0, error 0.25
# Needs gcc.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root -qq download libfann2=2.2.0+ds-8 libfann-dev=2.2.0+ds-8
for package in *.deb; do dpkg -x "$package" .; done
lib=usr/lib/$(gcc -print-multiarch)

cat >mse.c <<'C'
#include <floatfann.h>
#include <stdio.h>

static float error(const char *name, enum fann_activationfunc_enum function) {
    struct fann *net = fann_create_standard(2, 1, 1);
    fann_randomize_weights(net, 0, 0);
    fann_set_activation_function_output(net, function);
    fann_reset_MSE(net);
    float one = 1, out = *fann_test(net, &one, &one), mse = fann_get_MSE(net);
    printf("%s: out %g, error %g\n", name, out, mse);
    fann_destroy(net);
    return mse;
}

int main(void) {
    float linear = error("linear", FANN_LINEAR), tanh = error("tanh", FANN_SIGMOID_SYMMETRIC);
    return !(linear == 1 && tanh == 0.25f);
}
C
gcc -w -O1 -Iusr/include mse.c -o mse "$lib/libfloatfann.so.2"
if ! LD_LIBRARY_PATH=$lib ./mse; then
    echo "changed: FANN's mean square error is another" >&2
    exit 1
fi
echo "as seen: FANN halves the errors behind a tanh before it squares them"
