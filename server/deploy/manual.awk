# Makes the manual page: layerd --help | awk -f server/deploy/manual.awk - server/deploy/layerd.1.in
#
# An option's line in the help is "  --name  default  text". The first has a default, and so tells
# in which column one stands.

function escape(text) {
    gsub(/\\/, "\\e", text)
    return text ~ /^[.']/ ? "\\&" text : text
}

NR == 1 { version = $2; sub(/:$/, "", version) }

FNR == NR && /^  --/ {
    if (!column) {
        match($0, /^ +--[^ ]+ +/)
        column = RLENGTH + 1
    }
    given = substr($0, column, 1) != " "
    text = $0
    sub(/^ +--[^ ]+ +/, "", text)
    if (given)
        sub(/^[^ ]+ +/, "", text)
    takes = $1 == "--help" || $1 == "--version" ? "" : " Ar value"
    options = options ".It Fl " substr($1, 2) takes "\n" escape(text) ".\n"
    if (given)
        options = options "The default is\n.Ql " $2 " .\n"
}

FNR == NR { next }

/^@OPTIONS@$/ { printf "%s", options; next }

{ gsub(/@VERSION@/, version); print }
