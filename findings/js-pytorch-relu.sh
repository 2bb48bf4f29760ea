#!/usr/bin/env bash
# js-pytorch's ReLU is leaky: below zero its slope is 0.001, not 0.
#
# Its layers are named and called as PyTorch's are, where ReLU of a negative number is 0 and the
# leaky one is another layer. Here no element is ever off: each passes a thousandth of its gradient
# back.
#
# npm js-pytorch 0.7.2, input [-100, 2]:
#     relu: -0.1,2
# Needs Node.js.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts js-pytorch@0.7.2

cat >relu.mjs <<'JS'
import {torch} from 'js-pytorch';

console.log(`relu: ${new torch.nn.ReLU().forward(torch.tensor([[-100, 2]])).data}`);
JS
seen=$(node relu.mjs)
echo "$seen"
if [ "$seen" != "relu: -0.1,2" ]; then
    echo "changed: js-pytorch's ReLU has another slope below zero" >&2
    exit 1
fi
echo "as seen: js-pytorch's ReLU lets a thousandth through"
