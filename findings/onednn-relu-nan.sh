#!/usr/bin/env bash
# oneDNN's relu turns NaN into 0; with any slope below zero it keeps NaN.
#
# A training run that has broken down looks healthy behind such a layer. PyTorch, NumPy and ONNX
# Runtime keep the NaN, and so does the same primitive of oneDNN as soon as alpha is not 0.
#
# Debian 12, libdnnl2 2.6.3-1, with SSE4.1, AVX2 and AVX-512 code alike:
#     alpha 0: 0, alpha 0.1: nan
# Needs g++.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root -qq download \
    libdnnl2=2.6.3-1 libdnnl-dev=2.6.3-1 ocl-icd-libopencl1=2.3.1-1
for package in *.deb; do dpkg -x "$package" .; done
lib=usr/lib/$(gcc -print-multiarch)

cat >relu.cc <<'CC'
#include <cmath>
#include <cstdio>
#include <dnnl.hpp>
using namespace dnnl;

static float relu(float x, float alpha) {
    engine engine(engine::kind::cpu, 0);
    stream stream(engine);
    memory::desc desc({1, 1}, memory::data_type::f32, memory::format_tag::ab);
    float y = 7;
    memory from(desc, engine, &x), to(desc, engine, &y);
    eltwise_forward::primitive_desc primitive(
        {prop_kind::forward_inference, algorithm::eltwise_relu, desc, alpha, 0}, engine);
    eltwise_forward(primitive).execute(stream, {{DNNL_ARG_SRC, from}, {DNNL_ARG_DST, to}});
    stream.wait();
    return y;
}

int main() {
    float plain = relu(NAN, 0), leaky = relu(NAN, 0.1f);
    std::printf("alpha 0: %g, alpha 0.1: %g\n", plain, leaky);
    return !(plain == 0 && std::isnan(leaky));
}
CC
g++ -O1 -Iusr/include relu.cc -o relu "$lib/libdnnl.so.2" -Wl,-rpath-link,"$lib"
if ! LD_LIBRARY_PATH=$lib ./relu; then
    echo "changed: oneDNN's relu of NaN is not 0, or the leaky one not NaN" >&2
    exit 1
fi
echo "as seen: oneDNN's relu drops NaN"
