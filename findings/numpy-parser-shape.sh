#!/usr/bin/env bash
# numpy-parser reads a vector as a column: a .npy file of shape (3,) comes out as [3, 1].
#
# A scalar keeps its shape (), a matrix its own; only a single dimension gets a second. A bias or a
# row of labels then broadcasts along the wrong axis, or is refused.
#
# npm numpy-parser 1.2.3, files in which the shape is (), (3,) and (1, 3):
#     [] [3,1] [1,3]
# Needs Node.js.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts numpy-parser@1.2.3

cat >shape.mjs <<'JS'
import parser from 'numpy-parser';

// Version 1.0 of the format: the header ends in a line feed at a multiple of 64 bytes.
function npy(shape, values) {
    const text = `{'descr': '<f8', 'fortran_order': False, 'shape': ${shape}, }`;
    const head = Buffer.alloc(10);
    head.write('\x93NUMPY\x01\x00', 'latin1');
    head.writeUInt16LE(118, 8);
    const data = Buffer.from(Float64Array.from(values).buffer);
    const file = Buffer.concat([head, Buffer.from(text.padEnd(117) + '\n'), data]);
    return file.buffer.slice(file.byteOffset, file.byteOffset + file.length);
}

const shape = (text, values) => JSON.stringify(parser.fromArrayBuffer(npy(text, values)).shape);
console.log(shape('()', [1]), shape('(3,)', [1, 2, 3]), shape('(1, 3)', [1, 2, 3]));
JS
seen=$(node shape.mjs)
echo "$seen"
if [ "$seen" != "[] [3,1] [1,3]" ]; then
    echo "changed: numpy-parser gives other shapes" >&2
    exit 1
fi
echo "as seen: numpy-parser makes a vector a column"
