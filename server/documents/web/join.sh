#!/bin/sh
# Puts the page together: a line "@include NAME" of index.html becomes that file, and the policy
# allows the style and the script that are in the page by their hashes, and nothing else. What only
# readers of the files need, indentation and lines of comment, and in styles most other space, is
# left out of the page.
#
#   server/documents/web/join.sh server/documents/web/index.html PAGE POLICY
set -eu
folder=$(dirname "$1")
awk -v folder="$folder" '
    $1 != "@include" { print; next }
    {
        while ((got = (getline line < (folder "/" $2))) > 0) {
            if ($2 !~ /\.(js|css)$/) { print line; continue }
            sub(/^ +/, "", line)
            if (line ~ /^\/\*/) comment = 1
            css = $2 ~ /\.css$/
            if (css) { gsub(/: /, ":", line); sub(/ \{$/, "{", line) }
            if (!comment && line != "") printf "%s%s", line, css ? "" : "\n"
            if (line ~ /\*\/$/) comment = 0
        }
        if (css) print ""
    }
    got < 0 { print "there is no " folder "/" $2 >"/dev/stderr"; exit 1 }' "$1" >"$2"

# The hash of an element: of all between its tags, as browsers take it.
hash() {
    { echo; sed -n "/^<$1\b/,/^<\/$1>/p" "$2" | sed '1d;$d'; } | sha256sum | cut -c 1-64 |
        tr a-f A-F | basenc --base16 -d | base64
}
printf "%s" "default-src 'none'; connect-src 'self'; img-src data:; \
style-src 'sha256-$(hash style "$2")'; script-src 'sha256-$(hash script "$2")'; \
base-uri 'none'; form-action 'none'; frame-ancestors 'none'" >"$3"
