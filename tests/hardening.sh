#!/usr/bin/env bash
# How the daemon and the library are built, and how little of the system the daemon needs: it
# passes the vectors under a filter that kills it where it writes to the file system, starts a
# program or makes memory executable. Usage: tests/hardening.sh FOLDER (of a build)
set -euo pipefail
B=$1 passed=0
fail() {
    echo "hardening: $1"
    exit 1
}
# Whether a file has, or has not, a line in what readelf and nm say of it.
facts() {
    readelf -hldWn "$1"
    nm -D --undefined-only "$1"
}
has() {
    grep -qE "$2" <<<"$(facts "$1")" || fail "$1: $3"
    passed=$((passed + 1))
}
lacks() {
    ! grep -qE "$2" <<<"$(facts "$1")" || fail "$1: $3"
    passed=$((passed + 1))
}
starts_with() {
    local code
    code=$(objdump -d --no-show-raw-insn --disassemble="$2" "$1")
    grep -A1 "<$2>:" <<<"$code" | grep -q "$3" || fail "$1: $2 does not start with $3"
    passed=$((passed + 1))
}

has "$B/layerd" 'FLAGS_1.*PIE' "not position-independent"
for file in "$B/layerd" "$B/liblayers.so"; do
    has "$file" 'Type: +DYN' "not position-independent"
    has "$file" GNU_RELRO "its tables stay writable"
    has "$file" BIND_NOW "its tables are filled in late, and stay writable"
    has "$file" 'GNU_STACK.* RW ' "no mark of a stack that is not executable"
    lacks "$file" 'LOAD.* RWE' "memory both writable and executable"
    lacks "$file" 'LOAD +0x000000 .* R E' "code beside headers"
    lacks "$file" 'TEXTREL|RPATH|RUNPATH' "code that is written to, or a search path"
    has "$file" __stack_chk_fail "no stack protector"
    has "$file" '__(memcpy|snprintf|vsnprintf|sprintf)_chk' "no _FORTIFY_SOURCE"
    [ "$(uname -m)" != x86_64 ] || starts_with "$file" layers_run endbr64
done

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
printf '#!/bin/sh\nLD_PRELOAD=%s/confine.so exec %s/layerd "$@"\n' "$PWD/$B" "$PWD/$B" >"$folder/layerd"
chmod +x "$folder/layerd"
status=0
CONFINE_CHECK=1 "$folder/layerd" --version &
wait $! 2>/dev/null || status=$?
[ "$status" = 159 ] || fail "the filter is not there: $status instead of SIGSYS"
LAYERD=$folder/layerd "$B/http-tests" --filter '@(vectors|stopping)/*' >"$folder/log" 2>&1 ||
    { cat "$folder/log"; fail "the daemon needs more than it should"; }
! grep -q 'Tested: 0' "$folder/log" || fail "nothing was tested"
echo "hardening: $((passed + 2)) passed, 0 failed"
