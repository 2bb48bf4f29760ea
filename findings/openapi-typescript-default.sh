#!/usr/bin/env bash
# openapi-typescript: a request's property with a default is optional, until its schema gets a name.
#
# Written in the operation's body it becomes eps?: number. Moved as it stands to components/schemas
# and referred to, which means the same, it becomes eps: number, and every caller must send it. The
# help knows a switch for defaults (--default-non-nullable=false), but not that the place decides.
#
# npm openapi-typescript 7.13.0, one body in both places:
#     inline: eps?: number   referred to: eps: number
# Needs Node.js.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts openapi-typescript@7.13.0

cat >types.mjs <<'JS'
import openapi, {astToString} from 'openapi-typescript';

const body = {
    type: 'object', required: ['x'],
    properties: {x: {type: 'number'}, eps: {type: 'number', default: 1e-5}},
};
const operation = schema => ({post: {
    requestBody: {required: true, content: {'application/json': {schema}}},
    responses: {204: {description: 'done'}},
}});
const document = (schema, schemas) => ({
    openapi: '3.1.0', info: {title: 'norm', version: '1'},
    paths: {'/norm': operation(schema)}, components: {schemas},
});
const eps = async document => /eps\??: number/.exec(astToString(await openapi(document)))[0];

const named = document({$ref: '#/components/schemas/Body'}, {Body: body});
console.log(`inline: ${await eps(document(body, {}))}   referred to: ${await eps(named)}`);
JS
seen=$(node types.mjs)
echo "$seen"
if [ "$seen" != "inline: eps?: number   referred to: eps: number" ]; then
    echo "changed: openapi-typescript makes other properties of those with a default" >&2
    exit 1
fi
echo "as seen: the place of a schema decides whether a default makes a property required"
