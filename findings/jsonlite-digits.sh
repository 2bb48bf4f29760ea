#!/usr/bin/env bash
# R's jsonlite has no setting with which a double survives: 15 digits is the most it writes.
#
# digits = NA stands for the greatest precision; digits = 17 and I(17) are taken without a word. All
# three write 15 significant digits. (Without digits it is 4 decimals.) What R computed arrives
# elsewhere some units in the last place away.
#
# Debian 12, r-cran-jsonlite 1.8.4+dfsg-1 on R 4.2.2:
#     NA, 17, I(17): [0.3,0.333333333333333,314159.265358979]
# for 0.1 + 0.2, 1/3 and 100000 pi; none reads back equal.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root -qq download \
    r-base-core=4.2.2.20221110-2 r-cran-jsonlite=1.8.4+dfsg-1 libblas3=3.11.0-2 \
    libgfortran5=12.2.0-14+deb12u1 libquadmath0=12.2.0-14+deb12u1 libgomp1=12.2.0-14+deb12u1 \
    libreadline8=8.2-1.3 libtirpc3=1.3.3+ds-1 libicu72=72.1-3+deb12u1
for package in *.deb; do dpkg -x "$package" .; done
lib=$dir/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)

ln -sf /dev/null usr/lib/R/etc/Renviron
export R_HOME=$dir/usr/lib/R R_LIBS=$dir/usr/lib/R/site-library R_DEFAULT_PACKAGES=base
export LD_LIBRARY_PATH=$R_HOME/lib:$lib/blas:$lib
seen=$("$R_HOME/bin/exec/R" --no-echo --vanilla -e '
    x <- c(0.1 + 0.2, 1/3, pi * 100000)
    for (digits in list(NA, 17, I(17))) {
        text <- jsonlite::toJSON(x, digits = digits)
        cat(text, sum(jsonlite::fromJSON(text) == x), "equal\n")
    }' 2>errors) || { cat errors >&2; exit 1; }
echo "$seen"
line='[0.3,0.333333333333333,314159.265358979] 0 equal'
if [ "$seen" != "$(printf '%s\n' "$line" "$line" "$line")" ]; then
    echo "changed: jsonlite writes other digits than 15" >&2
    exit 1
fi
echo "as seen: jsonlite writes 15 digits, whatever it is told"
