#!/usr/bin/env bash
# Runs the examples of other languages where these are installed, against a daemon of their own.
#
#   tests/clients-examples.sh build/layerd
set -euo pipefail
. tests/daemon.sh
passed=0
skipped=
failed=0

# example <language> <probe> <command...>: where the probe succeeds, what the command prints must
# hold affine's answer.
example() {
    local output
    if ! $2 >/dev/null 2>&1; then
        skipped+=" $1"
    elif output=$("${@:3}" "$url" 2>&1) && grep -q '8\.5' <<<"$output" && grep -q '7\.5' <<<"$output"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf '%s: not the answer of affine:\n%s\n' "$1" "$output"
    fi
}

start_daemon "$1"
example Go "go version" go run clients/examples/hello.go
example Java "javac --version" java clients/examples/Hello.java
example R "Rscript -e library(curl);library(jsonlite)" Rscript clients/examples/hello.R
stop_daemon
[ -z "$skipped" ] || echo "examples: not installed here, so not run:$skipped"
echo "examples: $passed passed, $failed failed"
[ "$failed" = 0 ]
