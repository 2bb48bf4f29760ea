#!/usr/bin/env bash
# TensorFlow.js: the gradient of max goes whole to every one of several equal maxima.
#
# Moving two tied elements up by a step moves their maximum by one step, but the gradients say two.
# Its own maxPool gives the gradient to the first alone; PyTorch's max shares it out. Behind a relu,
# where many elements are 0, ties are common.
#
# npm @tensorflow/tfjs 4.22.0, CPU backend, x = [1, 1, 0]:
#     max: 1,1,0
#     maxPool: 1,0,0
# Needs Node.js.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts @tensorflow/tfjs@4.22.0

cat >ties.mjs <<'JS'
import * as tf from '@tensorflow/tfjs';

await tf.setBackend('cpu');
const x = tf.tensor4d([1, 1, 0], [1, 1, 3, 1]);
const gradient = f => tf.grad(x => tf.sum(f(x)))(x).dataSync().join();
console.log(`max: ${gradient(x => tf.max(x))}`);
console.log(`maxPool: ${gradient(x => tf.maxPool(x, [1, 3], 1, 'valid'))}`);
JS
seen=$(node ties.mjs 2>/dev/null | grep '^max') || true
echo "$seen"
if [ "$seen" != "$(printf 'max: 1,1,0\nmaxPool: 1,0,0')" ]; then
    echo "changed: TensorFlow.js shares the gradient of equal maxima out otherwise" >&2
    exit 1
fi
echo "as seen: the gradient of max counts ties more than once"
