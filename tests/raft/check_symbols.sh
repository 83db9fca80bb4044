#!/bin/sh
# check_symbols.sh NM LIBRARY ALLOWED EXPORTED: the library imports only what ALLOWED lists, one name a line, and defines for
# all to see exactly what EXPORTED lists beside names with two underscores. Compilers add a few names of their own.
set -eu
nm=$1 library=$2 allowed=$3 exported=$4
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
"$nm" "$library" | awk 'NF == 3 && $2 ~ /^[A-Z]$/ { print $3 }' | sort -u > "$tmp/defined"
"$nm" -u "$library" | awk '$1 == "U" { print $2 }' | sort -u > "$tmp/used"
grep -E '^[a-z_]' "$allowed" | sort > "$tmp/allowed"
comm -23 "$tmp/used" "$tmp/defined" | grep -v '^_GLOBAL_OFFSET_TABLE_$' > "$tmp/imported" || true
if [ -n "$(comm -23 "$tmp/imported" "$tmp/allowed")" ]; then
    echo "imports what a pure core must not:"
    comm -23 "$tmp/imported" "$tmp/allowed"
    exit 1
fi
grep -v '__' "$tmp/defined" > "$tmp/public" || true
sort "$exported" > "$tmp/exported"
if ! diff "$tmp/exported" "$tmp/public"; then
    echo "exported.txt and the library differ"
    exit 1
fi
