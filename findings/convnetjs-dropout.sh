#!/usr/bin/env bash
# ConvNetJS's dropout scales predictions by the share that it drops, not by the share it keeps.
#
# Plain dropout keeps a share k in training and multiplies by k afterwards. With drop_prob 0.2 that
# would be 0.8; ConvNetJS multiplies by 0.2, so that predictions see a quarter of what training saw.
# At 0.5 the two are the same.
#
# npm convnetjs 0.3.0, ones through a layer with drop_prob 0.2:
#     training mean 0.8, prediction 0.2
# Needs Node.js.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts convnetjs@0.3.0

cat >dropout.cjs <<'JS'
const {DropoutLayer, Vol} = require('convnetjs');

const size = 100000;
const layer = new DropoutLayer({in_sx: 1, in_sy: 1, in_depth: size, drop_prob: 0.2});
const mean = training =>
    layer.forward(new Vol(1, 1, size, 1), training).w.reduce((sum, value) => sum + value) / size;
console.log(`training mean ${mean(true).toFixed(1)}, prediction ${mean(false).toFixed(1)}`);
JS
seen=$(node dropout.cjs)
echo "$seen"
if [ "$seen" != "training mean 0.8, prediction 0.2" ]; then
    echo "changed: ConvNetJS's dropout scales otherwise" >&2
    exit 1
fi
echo "as seen: predictions are scaled by the share that is dropped"
