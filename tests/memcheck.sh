#!/usr/bin/env bash
# The vectors, a round of every operation and most of its errors, against a daemon under valgrind's
# memcheck: no wrong read or write, no jump on memory never set, nothing lost at its end.
# valgrind hides AVX-512 from the daemon, and so the kernels made for it: the others are checked.
# Usage: tests/memcheck.sh FOLDER (of a build)
set -euo pipefail
B=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/layerd" <<END
#!/bin/sh
exec valgrind --quiet --soname-synonyms=somalloc=NONE --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \\
    --error-exitcode=99 --log-file=$folder/report.%p "$PWD/$B/layerd" "\$@"
END
chmod +x "$folder/layerd"
status=0
LAYERD=$folder/layerd "$B/http-tests" --filter '@(vectors|graphs_vectors)/*' --timeout 300 \
    >"$folder/log" 2>&1 || status=$?
[ "$status" = 0 ] || { cat "$folder/log" "$folder"/report.*; exit 1; }
! grep -q 'Tested: 0' "$folder/log" || { echo "memcheck: nothing was tested"; exit 1; }
tail -1 "$folder/log"
echo "memcheck: $(find "$folder" -name 'report.*' | wc -l) daemons, clean"
