#!/usr/bin/env bash
# Includes point one way: main → http → routes → documents → calls → store → codec, access →
# base → lib, as the folders say; a file may include what lies on its own floor in its own room, or lower.
# Libraries are known where they are used and nowhere else. And no files of one room need each other in
# a circle, as their objects tell.
#
#   tests/arrows.sh build
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1

git grep -nE '^#include [<"]' -- 'server/*.[ch]' 'server/*.cc' 'lib/*.[ch]' 'include/*.h' |
    awk -F'[:<>"]' '
    # The floor of a file, the highest first; options.c and metrics.c are the ground of what handles.
    function floor(path) {
        if (path ~ /^server\/(main|options)\.c$/) return 9
        if (path ~ /^server\/http\//) return 8
        if (path ~ /^server\/routes\.[ch]$/) return 7
        if (path ~ /^server\/documents\//) return 6
        if (path ~ /^server\/(calls|graphs)\//) return 5
        if (path ~ /^server\/forms\//) return 4.5
        if (path ~ /^server\/[a-z]+\.[ch]$/) return 4
        if (path ~ /^server\/store\/redis\//) return 3.7
        if (path ~ /^server\/store\//) return 3.5
        if (path ~ /^server\/(codec|access)\//) return 3
        if (path ~ /^server\/base\//) return 2
        if (path ~ /^lib\/layers\//) return 1.5
        if (path ~ /^lib\/answers\//) return 1.4
        if (path ~ /^lib\/checks\//) return 1.3
        if (path ~ /^lib\/(convolution|graph)\//) return 1.2
        if (path ~ /^lib\//) return 1
        if (path ~ /^include\//) return 0
        return -1
    }
    function room(path) { sub(/\/[^\/]*$/, "", path); return path }
    function found(name,   where) {
        if (name ~ /^layers\/.*\.h$/ && system("test -e include/" name) == 0) return "include/" name
        if (system("test -e server/" name) == 0) return "server/" name
        return "lib/" name
    }
    function bad(why) { print $1 ":" $2 ": " why; wrong = 1 }
    { from = $1; name = $4; seen++ }
    /#include </ {
        if (name == "microhttpd.h" && from != "server/http/http.c")
            bad("microhttpd.h is of server/http/http.c alone")
        if (name ~ /^(hiredis|gnutls)\// && from !~ /^server\/store\/redis\//)
            bad("hiredis and GnuTLS are of server/store/redis/ alone")
        if (name == "jansson.h" &&
            from !~ /^server\/(documents|codec\/(json|safetensors)|base\/(json_dump|problem))/)
            bad("jansson.h is of JSON documents alone")
        next
    }
    {
        to = found(name)
        if (floor(from) < 0 || floor(to) < 0)
            bad("tests/arrows.sh knows no floor for " (floor(from) < 0 ? from : to))
        else if (floor(from) < floor(to) ||
                 (floor(from) == floor(to) && room(from) != room(to)))
            bad("includes " to ", which stands above it or beside it")
    }
    END { if (!seen) { print "no includes were found"; wrong = 1 } exit wrong }'

# "USER USED" for every symbol that one object of a room takes from another; tsort finds circles.
needs() {
    for object in "$build/$1"/*.o; do
        compgen -G "$1/$(basename "$object" .o).c*" >/dev/null || continue # of a file that was
        nm -g --defined-only "$object" | awk -v o="$object" 'NF { print "defines", $NF, o }'
        nm -gu "$object" | awk -v o="$object" 'NF { print "uses", $NF, o }'
    done | awk '$1 == "defines" { file[$2] = $3 } $1 == "uses" { user[++n] = $3; symbol[n] = $2 }
        END { for (i = 1; i <= n; i++)
            if (symbol[i] in file && file[symbol[i]] != user[i]) print user[i], file[symbol[i]] }'
}
for room in $(git ls-files 'server/*.c' 'lib/*.c' 'clients/c/*.c' | xargs dirname | sort -u); do
    if ! needs "$room" | tsort >/dev/null; then
        echo "files of $room need each other in a circle"
        exit 1
    fi
done
