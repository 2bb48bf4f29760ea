#!/usr/bin/env bash
# ONNX Runtime's MaxPool finds NaN or not by its place in the window, and by whether Indices are
# asked.
#
# Two models that differ in the second, optional output alone give different maxima of one input.
# One would guess that all places in a window are equal, and that asking where the maximum is does
# not change it.
#
# npm onnxruntime-web 1.30.0 (WebAssembly, one thread), windows of 2 x 2 with NaN first, second,
# third or last beside 1, 2, 3:
#     without Indices: NaN NaN 3 3
#     with Indices: NaN 3 3 3
# Needs Node.js 20.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts onnxruntime-web@1.30.0

cat >pool.mjs <<'JS'
import * as ort from 'onnxruntime-web';

ort.env.wasm.numThreads = 1;

// Just enough of protobuf: a number, or bytes, under a field.
const varint = n => n > 127 ? [n & 127 | 128, ...varint(n >> 7)] : [n];
const field = (at, value) => {
    if (typeof value === 'number') return [...varint(at << 3), ...varint(value)];
    const bytes = typeof value === 'string' ? [...Buffer.from(value)] : value;
    return [...varint(at << 3 | 2), ...varint(bytes.length), ...bytes];
};
const tensor = (name, type) => [...field(1, name), ...field(2, field(1, field(1, type)))];
const two = name => [...field(1, name), ...field(8, 2), ...field(8, 2), ...field(20, 7)];
const [FLOAT, INT64] = [1, 7];

function model(outputs) {
    const node = [field(1, 'x'), ...outputs.map(name => field(2, name)), field(4, 'MaxPool'),
        field(5, two('kernel_shape')), field(5, two('strides'))].flat();
    const graph = [field(1, node), field(2, 'pool'), field(11, tensor('x', FLOAT)),
        ...outputs.map((name, i) => field(12, tensor(name, i ? INT64 : FLOAT)))].flat();
    const opset = [...field(1, ''), ...field(2, 17)];
    return Uint8Array.from([...field(1, 8), ...field(7, graph), ...field(8, opset)]);
}

for (const outputs of [['y'], ['y', 'indices']]) {
    const session = await ort.InferenceSession.create(model(outputs));
    const seen = [];
    for (const window of [[NaN, 1, 2, 3], [1, NaN, 2, 3], [1, 2, NaN, 3], [1, 2, 3, NaN]]) {
        const x = new ort.Tensor('float32', Float32Array.from(window), [1, 1, 2, 2]);
        seen.push((await session.run({x})).y.data[0]);
    }
    console.log(`${outputs[1] ? 'with' : 'without'} Indices: ${seen.join(' ')}`);
}
JS
seen=$(node pool.mjs)
echo "$seen"
if [ "$seen" != "$(printf 'without Indices: NaN NaN 3 3\nwith Indices: NaN 3 3 3')" ]; then
    echo "changed: ONNX Runtime's MaxPool treats NaN in a window otherwise" >&2
    exit 1
fi
echo "as seen: the maximum depends on NaN's place and on the outputs asked for"
