# shellcheck shell=bash disable=SC2034
# systemd-journal-remote, which receives the journal of other machines: entries come in as an export
# stream and go through a shared mapping into a journal file, as journald's own do.
packages=(systemd-journal-remote)
settings="2,000 entries, 1 ms apart"
# The file's and the sequence numbers' random identifiers, in the header.
ignore=(remote.journal:24+16 remote.journal:72+16)

entries() {
    awk 'BEGIN {
        id = "0123456789abcdef0123456789abcdef"
        for (i = 1; i <= 2000; ++i)
            printf "__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=%s\n_MACHINE_ID=%s\n" \
                   "PRIORITY=6\nSYSLOG_IDENTIFIER=program%d\nMESSAGE=message %d of 2000: %s\n\n",
                   1166400000000000 + i * 1000, i * 1000, id, id, i % 7, i, "all is well, as far as one can tell"
    }'
}

# Without SYSTEMD_JOURNAL_KEYED_HASH=0 each file would hash with its own random key.
run() {
    entries | pace paragraphs | SYSTEMD_JOURNAL_KEYED_HASH=0 \
        /lib/systemd/systemd-journal-remote --split-mode=none -o "$1/remote.journal" -
}

check() {
    journalctl --verify --file "$1/remote.journal" 2>&1 | tr '\r' '\n' | sed 's/\x1b\[[0-9;]*[A-Za-z]//g' |
        grep -v '^ *$' | tail -n 1
    [ "${PIPESTATUS[0]}" -eq 0 ] && [ "$(journalctl --quiet --file "$1/remote.journal" -o cat | wc -l)" -eq 2000 ]
}
