#!/usr/bin/env bash
# TensorFlow.js: convolving with padding is not convolving what was padded with zeros.
#
# The CPU backend leaves the padding out of its sums. That is the same as adding zeros as long as the
# weights are finite; an infinite weight over the padding is 0 · inf = NaN by the definition, and in
# the same library's conv2d of the image that tf.pad has put zeros around. So a kernel that has
# overflowed shows in the middle of an image, and not at its edge.
#
# npm @tensorflow/tfjs 4.22.0, CPU backend, x = [1, 1, 1], w = [inf, 1, 1]:
#     same: 2 Infinity Infinity
#     padded: NaN Infinity Infinity
# Needs Node.js.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts @tensorflow/tfjs@4.22.0

cat >padding.mjs <<'JS'
import * as tf from '@tensorflow/tfjs';

await tf.setBackend('cpu');
const x = tf.tensor4d([1, 1, 1], [1, 1, 3, 1]), w = tf.tensor4d([Infinity, 1, 1], [1, 3, 1, 1]);
const zeros = tf.pad(x, [[0, 0], [0, 0], [1, 1], [0, 0]]);
const text = out => [...out.dataSync()].join(' ');
console.log(`same: ${text(tf.conv2d(x, w, 1, 'same'))}`);
console.log(`padded: ${text(tf.conv2d(zeros, w, 1, 'valid'))}`);
JS
seen=$(node padding.mjs 2>/dev/null | grep ':') || true
echo "$seen"
if [ "$seen" != "$(printf 'same: 2 Infinity Infinity\npadded: NaN Infinity Infinity')" ]; then
    echo "changed: TensorFlow.js's conv2d treats its padding otherwise" >&2
    exit 1
fi
echo "as seen: the padding takes no part in the sums"
