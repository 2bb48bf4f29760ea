#!/usr/bin/env bash
# Generators of TypeScript clients, as they come, make types from /openapi.json with which the program
# of clients/README.md and those of tests/openapi/types compile under --strict and run. Needs npm and
# its registry; where there is none it says so and passes.
#
#   tests/openapi-types.sh build/layerd
set -euo pipefail
. tests/daemon.sh
source=tests/openapi/types
place=build/openapi-types
export DO_NOT_TRACK=1 SCARF_ANALYTICS=false npm_config_update_notifier=false

skip() {
    echo "openapi types: skipped: $1"
    exit 0
}

[ -n "$(command -v npm)" ] || skip "npm is not installed"
node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' ||
    skip "Node $(node --version) is older than 20.19"
mkdir -p "$place"
if ! cmp -s "$source/package.json" "$place/installed.json"; then
    (cd "$place" && timeout 60 npm view --fetch-retries=1 typescript@5.9.3 version >/dev/null 2>&1) ||
        skip "npm reaches no registry"
    cp "$source/package.json" "$place/"
    (cd "$place" && npm install --ignore-scripts --no-package-lock --no-audit --no-fund >npm.log 2>&1) ||
        { cat "$place/npm.log"; exit 1; }
    cp "$source/package.json" "$place/installed.json"
fi

start_daemon "$1"
rm -rf "$place"/*.ts "$place"/*.mjs "$place/layerd-hey-api"
cp "$source"/*.ts "$source/tsconfig.json" "$place/"
sed -n '/^```ts$/,/^```$/p' clients/README.md | sed '/^```/d' >"$place/readme.ts"
wanted=$(sed -n '/^\$ node readme/{n;p}' clients/README.md)
sed -i "s|http://127.0.0.1:8080|$url|" "$place"/*.ts
cd "$place"
PATH=$PWD/node_modules/.bin:$PATH
curl -sf "$url/openapi.json" >openapi.json
{
    openapi-typescript openapi.json -o layerd.d.ts
    openapi-ts -i openapi.json -o layerd-hey-api
    orval --input openapi.json --output layerd-orval.ts
} >generators.log 2>&1 || { cat generators.log; exit 1; }
tsc -p .
for program in readme openapi-typescript hey-api orval; do
    esbuild --log-level=error --bundle --platform=node --packages=external --format=esm \
        "$program.ts" --outfile="$program.mjs"
    node "$program.mjs" >"$program.out" || { echo "$program: does not run"; exit 1; }
done
[ "$(cat readme.out)" = "$wanted" ] || { echo "readme: got '$(cat readme.out)', expected '$wanted'"; exit 1; }
stop_daemon
echo "openapi types: 4 passed, 0 failed"
