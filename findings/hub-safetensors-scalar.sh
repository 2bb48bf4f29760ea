#!/usr/bin/env bash
# Hugging Face's JavaScript client leaves tensors of rank 0 out when it counts a model's parameters.
#
# safetensors writes a scalar, such as a learnt temperature, with the shape []. Its one value is a
# parameter like any other; parseSafetensorsMetadata does not even name its dtype in the count.
#
# npm @huggingface/hub 2.17.5, a file of F32 [3] and F64 []:
#     {"F32":3}
# Needs Node.js.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts @huggingface/hub@2.17.5

cat >count.mjs <<'JS'
import {parseSafetensorsMetadata} from '@huggingface/hub';

const header = Buffer.from(JSON.stringify({
    bias: {dtype: 'F32', shape: [3], data_offsets: [0, 12]},
    temperature: {dtype: 'F64', shape: [], data_offsets: [12, 20]},
}));
const file = Buffer.alloc(8 + header.length + 20);
file.writeBigUInt64LE(BigInt(header.length));
header.copy(file, 8);

// Stands for the network: the file, or the range of it that is asked for.
async function fetch(url, options) {
    const range = /bytes=(\d+)-(\d+)/.exec(new Headers(options?.headers).get('range'));
    const [from, to] = range ? [Number(range[1]), Number(range[2])] : [0, file.length - 1];
    const part = file.subarray(from, to + 1);
    const headers = {
        etag: '"file"', 'content-length': String(part.length),
        'content-range': `bytes ${from}-${from + part.length - 1}/${file.length}`,
    };
    return new Response(part, {status: range ? 206 : 200, headers});
}

const {header: tensors, parameterCount} = await parseSafetensorsMetadata({
    repo: 'some/model', path: 'model.safetensors', computeParametersCount: true, fetch,
});
console.log(Object.keys(tensors).join(), JSON.stringify(parameterCount));
JS
seen=$(node count.mjs)
echo "$seen"
if [ "$seen" != 'bias,temperature {"F32":3}' ]; then
    echo "changed: @huggingface/hub counts tensors of rank 0 otherwise" >&2
    exit 1
fi
echo "as seen: @huggingface/hub does not count scalars"
