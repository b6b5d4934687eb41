# shellcheck shell=bash disable=SC2034
# Today's apt builds its package cache, from a repository made on the spot. No path outside the
# temporary directory is used: every directory that apt knows is set to another.
packages=(apt)
settings="3,000 packages, cache built 5 times"
commit_interval=10ms
# Three bytes of padding in the header, which apt leaves as its memory had them, and at the header's end the checksum
# over them.
ignore=({,src}pkgcache.bin:{21+3,676+4})
expect=immune
why="it builds its cache in private memory and writes it with write(2) (2.6; apt-2006 shows how it was)"

# apt_here CACHE COMMAND...: a command of apt's with its cache in the directory CACHE.
apt_here() {
    local cache=$1
    shift
    cat >"$SCRATCH/apt.conf" <<END
Dir "$PREPARED/";
Dir::Etc "$PREPARED/etc/";
Dir::State "$PREPARED/state/";
Dir::State::status "$PREPARED/state/status";
Dir::Cache "$cache/";
Dir::Log "$SCRATCH/";
APT::Sandbox::User "";
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
Acquire::Languages "none";
END
    APT_CONFIG=$SCRATCH/apt.conf "$@"
}

prepare() {
    mkdir -p "$PREPARED"/{repository,cache/archives/partial,state/lists/partial,etc/{apt.conf,sources.list,preferences,trusted.gpg}.d}
    touch "$PREPARED/state/status"
    echo "deb [trusted=yes] file:$PREPARED/repository ./" >"$PREPARED/etc/sources.list"
    cd "$PREPARED/repository" || exit
    awk 'BEGIN {
        for (i = 1; i <= 3000; ++i)
            printf "Package: package%04d\nVersion: 1.%d-1\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\n" \
                   "Depends: package%04d (>= 1.0), package%04d | package%04d\nFilename: ./package%04d.deb\n" \
                   "Size: 1000\nSHA256: %064x\nDescription: package number %d\n\n",
                   i, i, i * 7 % 3000 + 1, i * 11 % 3000 + 1, i * 13 % 3000 + 1, i, i, i
    }' >Packages
    printf 'Suite: stable\nDate: Sun, 24 Dec 2006 00:00:00 UTC\nSHA256:\n %s %s Packages\n' \
        "$(sha256sum Packages | cut -d ' ' -f 1)" "$(stat -c %s Packages)" >Release
    apt_here "$PREPARED/cache" apt-get --quiet update
}

run() {
    local round
    for round in 1 2 3 4 5; do
        rm -f "$1"/*.bin
        apt_here "$1" apt-cache --quiet gencaches
    done
}

check() {
    apt_here "$1" apt-cache --no-generate dump >"$SCRATCH/dump" 2>"$SCRATCH/error" ||
        { tail -n 1 "$SCRATCH/error"; return 1; }
    local count
    count=$(grep -c '^Package: ' "$SCRATCH/dump")
    echo "apt-cache dump: $count of 3000 packages"
    [ "$count" -eq 3000 ] && [ ! -s "$SCRATCH/error" ]
}
