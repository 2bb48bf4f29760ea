#!/usr/bin/env bash
# junit2json makes numbers of names: the tests 1.10 and 1.1 of a report are one afterwards.
#
# Every attribute that can be read as a number becomes one, though its types say string: names of
# tests and classes, messages, values of properties. Without a decimal point only the leading digits
# count, and an empty message is NaN.
#
# npm junit2json 4.0.0, test cases called 1.10, 1.1, 007 and 1e3:
#     1.1 1.1 7 1
# Needs Node.js.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts junit2json@4.0.0

cat >names.mjs <<'JS'
import {parse} from 'junit2json';

const cases = ['1.10', '1.1', '007', '1e3'].map(name => `<testcase name="${name}" time="0.5"/>`);
const suite = await parse(`<testsuite name="a2" tests="4">${cases.join('')}</testsuite>`);
console.log(...suite.testcase.map(test => test.name));
JS
seen=$(node names.mjs)
echo "$seen"
if [ "$seen" != "1.1 1.1 7 1" ]; then
    echo "changed: junit2json reads names otherwise" >&2
    exit 1
fi
echo "as seen: junit2json makes numbers of names"
