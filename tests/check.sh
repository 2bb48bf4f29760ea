#!/usr/bin/env bash
# The static checks: formatting, warnings as errors with gcc and clang, cppcheck, clang-tidy.
set -euo pipefail
jobs=$(nproc)

mapfile -t sources < <(git ls-files '*.c' '*.h' '*.cc')
echo "clang-format: ${#sources[@]} files"
clang-format --dry-run --Werror "${sources[@]}"

echo "gcc and clang: warnings are errors"
make --no-print-directory -j"$jobs" WERROR=-Werror tests >/dev/null
make --no-print-directory -j"$jobs" WERROR=-Werror CC=clang tests >/dev/null

echo "arrows"
tests/arrows.sh build/strict

mapfile -t tidy < <(git ls-files 'lib/*.c' 'server/*.c' 'clients/c/*.c')
echo "cppcheck"
includes=(-Iinclude -Ilib -Iserver -Iclients/c)
cppcheck --quiet --std=c11 --error-exitcode=1 --inline-suppr -j "$jobs" \
    --enable=warning,performance,portability --suppressions-list=tests/cppcheck.txt \
    "${includes[@]}" "${tidy[@]}"

echo "clang-tidy"
printf '%s\n' "${tidy[@]}" | xargs -P "$jobs" -n 4 sh -c \
    'clang-tidy --quiet "$@" -- -std=c17 -D_GNU_SOURCE -DLAYERD_COMMIT=\"\" '"${includes[*]}"' \
        -I/usr/include/$(gcc -print-multiarch)/openblas-openmp 2>/dev/null' clang-tidy
echo "checks: all passed"
