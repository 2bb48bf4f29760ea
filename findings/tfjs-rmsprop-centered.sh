#!/usr/bin/env bash
# TensorFlow.js: the centred RMSProp makes NaN of a weight whose gradient is below 0.001.
#
# It divides by the root of the mean square less the square of the mean less epsilon: epsilon is
# taken off where it should be added. In the first step what it leaves is negative once the gradient
# is below 1.05e-3, with the decay of 0.9 and the epsilon of 1e-7 that are used unless others are
# given. Not centred, epsilon is added.
#
# npm @tensorflow/tfjs 4.22.0, CPU backend, a weight of 0 after the first step at rate 0.01:
#     gradient 0.01: plain -0.0315, centred -0.0335
#     gradient 0.001: plain -0.0224, centred NaN
# Needs Node.js.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts @tensorflow/tfjs@4.22.0

cat >steps.mjs <<'JS'
import * as tf from '@tensorflow/tfjs';

await tf.setBackend('cpu');
const step = (gradient, centred) => {
    const weight = tf.variable(tf.scalar(0));
    tf.train.rmsprop(0.01, 0.9, 0, undefined, centred).minimize(() => tf.mul(weight, gradient));
    return weight.dataSync()[0].toFixed(4);
};
for (const gradient of [0.01, 0.001]) {
    console.log(`gradient ${gradient}: plain ${step(gradient, false)}, ` +
        `centred ${step(gradient, true)}`);
}
JS
seen=$(node steps.mjs 2>/dev/null | grep '^gradient') || true
echo "$seen"
if [ "$seen" != "$(printf '%s\n' 'gradient 0.01: plain -0.0315, centred -0.0335' \
        'gradient 0.001: plain -0.0224, centred NaN')" ]; then
    echo "changed: TensorFlow.js's centred RMSProp makes other steps" >&2
    exit 1
fi
echo "as seen: small gradients make the centred RMSProp's weights NaN"
