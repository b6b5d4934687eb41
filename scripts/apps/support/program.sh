# shellcheck shell=bash disable=SC2034
# What a program's file (scripts/apps/NAME.app) may set and use. step.sh sources this before the program's file.
# ../README.md explains each variable; these are the defaults.

title=            # what the table calls it; the file's name if empty
packages=()       # Debian packages it needs
settings=         # shown in the table: sizes and rates; the commit interval is added
commit_interval=50ms
mount_options=()  # more options for partialfs
expect=damaged    # under linux-2.6.19: damaged, unnoticed, sometimes, sometimes-unnoticed or immune; of power cuts
                  # (under linux-2.6.20 alone): power-safe or power-damaged
why=              # the reason, where a row does not say `damaged`
exact=true        # false: it stores old values again, so a byte may be right although its store was lost
in_memory=true    # false: its files must be on a disk, not in /dev/shm, for its checker
timeout=60        # seconds that each of prepare, run and check may take
ignore=()         # what may differ from the reference: FILE or FILE:OFFSET+LENGTH
random_names=()   # regular expressions of names (of files, directories) that differ in each run
by_default=true   # whether run.sh without names runs it

# prepare: makes what all runs need in $PREPARED, once.
prepare() { :; }

# reference DIR: makes in DIR, a plain directory, the files that a correct run leaves. By default the program itself
# runs there, without pauses.
reference() { PACE=0 run "$1"; }

# records COUNT FORMAT: prints COUNT lines of FORMAT, in which %k is a key and %v a value of about 100 bytes. The same
# lines each time; every value is different.
records() {
    awk -v count="$1" -v format="$2" 'BEGIN {
        for (i = 1; i <= count; ++i) {
            line = format
            value = ""
            while (length(value) < 96)
                value = value sprintf("value%06d.%02d-", i, length(value))
            gsub(/%k/, sprintf("key%06d", i), line)
            gsub(/%v/, value, line)
            print line
        }
    }'
}

# pace [paragraphs]: copies standard input, one line (or paragraph) a millisecond.
pace() { "$SUPPORT/pace.py" "${PACE:-1}" "$@"; }

# package_version PACKAGE: the upstream part of an installed package's version.
package_version() { dpkg-query -W -f '${Version}' "$1" | sed 's/^[0-9]*://; s/[-+~][^-]*$//'; }

version() { package_version "${packages[0]}"; }

# check_cuts DIR: the result of cuts.py, as a check.
check_cuts() {
    cat "$1/result"
    grep -qx "all that was acknowledged is there" "$1/result"
}
