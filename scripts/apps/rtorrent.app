# shellcheck shell=bash disable=SC2034
# rtorrent receives each 16 KiB block straight into a shared mapping of the piece. A seeder on a plain
# directory and a leecher on the mount, both on 127.0.0.1. The throttle is what makes data get lost: the
# connection pauses inside a page, long enough for a commit, and goes on storing into that page.
packages=(rtorrent)
timeout=150
if $QUICK; then
    mebibytes=16 rate=4096 commit_interval=100ms
else
    mebibytes=64 rate=8192 commit_interval=200ms
fi
settings="$mebibytes MiB at $rate KB/s"

prepare() {
    mkdir "$PREPARED/seed"
    "$SUPPORT/rtorrent.py" make "$PREPARED/seed/payload.bin" "$PREPARED/payload.torrent" "$mebibytes"
}

reference() { cp "$PREPARED/seed/payload.bin" "$1"; }

run() {
    "$SUPPORT/rtorrent.py" download "$PREPARED/seed/payload.bin" "$PREPARED/payload.torrent" "$1" "$rate" "$SCRATCH"
}

check() { "$SUPPORT/rtorrent.py" check "$1" "$PREPARED/payload.torrent" "$SCRATCH"; }
