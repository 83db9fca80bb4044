#!/bin/sh
# check_symbols.sh NM ARCHIVE ALLOWED EXPORTED [PREFIX]: the members of the archive that define names with the prefix (raft_ if
# none is given), and those of base/ that they reach, import only what ALLOWED lists, one name a line; and the names that they show,
# beside those with two underscores, are exactly those of EXPORTED.
set -eu
nm=$1 archive=$2 allowed=$3 exported=$4 prefix=${5:-raft_}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
"$nm" "$archive" > "$tmp/symbols"
awk -v prefix="^$prefix" '
    /^[^ ]+:$/ { member = $1; next }
    NF == 3 && $2 ~ /^[A-Z]$/ { home[$3] = member; if ($3 ~ prefix) reached[member] = 1 }
    NF == 2 && $1 == "U" { uses[member] = uses[member] " " $2 }
    END {
        do {
            more = 0
            for (m in reached) {
                n = split(uses[m], names, " ")
                for (i = 1; i <= n; i++) {
                    if (!(names[i] in home)) {
                        outside[names[i]] = 1
                    } else if (!(home[names[i]] in reached)) {
                        reached[home[names[i]]] = 1
                        more = 1
                    }
                }
            }
        } while (more)
        for (name in outside) if (name != "_GLOBAL_OFFSET_TABLE_") print name
    }' "$tmp/symbols" | sort > "$tmp/imported"
grep -E '^[a-z_]' "$allowed" | sort > "$tmp/allowed"
if [ -n "$(comm -23 "$tmp/imported" "$tmp/allowed")" ]; then
    echo "imports what a pure core must not:"
    comm -23 "$tmp/imported" "$tmp/allowed"
    exit 1
fi
awk -v prefix="^$prefix" 'NF == 3 && $2 ~ /^[A-Z]$/ && $3 ~ prefix && $3 !~ /__/ { print $3 }' "$tmp/symbols" | sort > "$tmp/public"
sort "$exported" > "$tmp/exported"
if ! diff "$tmp/exported" "$tmp/public"; then
    echo "exported.txt and the library differ"
    exit 1
fi
