# bash completion for partialfs: put it into /usr/share/bash-completion/completions/partialfs
# or source it.

_partialfs() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local option=$previous
    # --option=VALUE arrives as three words.
    [[ $previous == = ]] && option=${COMP_WORDS[COMP_CWORD - 2]}
    [[ $current == = ]] && option=$previous && current=
    COMPREPLY=()
    case $option in
    --wait | --unmount)
        mapfile -t COMPREPLY < <(compgen -d -- "$current")
        return
        ;;
    --contract)
        mapfile -t COMPREPLY < <(compgen -W 'linux-2.6.19 linux-2.6.20' -- "$current")
        return
        ;;
    --flush-policy)
        mapfile -t COMPREPLY < <(compgen -W 'eager ext3' -- "$current")
        return
        ;;
    --block-size)
        mapfile -t COMPREPLY < <(compgen -W '512 1024 2048 4096' -- "$current")
        return
        ;;
    --commit-interval)
        mapfile -t COMPREPLY < <(compgen -W '0 10ms 100ms 1s 5s 1min' -- "$current")
        return
        ;;
    --dirty-limit)
        mapfile -t COMPREPLY < <(compgen -W '64MiB 256MiB 1GiB' -- "$current")
        return
        ;;
    --probe)
        mapfile -t COMPREPLY < <(compgen -W 'auto cachestat compare' -- "$current")
        return
        ;;
    --log-level)
        mapfile -t COMPREPLY < <(compgen -W 'trace debug info warning error off' -- "$current")
        return
        ;;
    --threads)
        mapfile -t COMPREPLY < <(compgen -W '1 2 4 10 16' -- "$current")
        return
        ;;
    --trace | --log-file)
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    -o)
        local done='' last=$current
        [[ $current == *,* ]] && done=${current%,*}, last=${current##*,}
        mapfile -t COMPREPLY < <(compgen -P "$done" -W 'allow_other allow_root auto_unmount nonempty
            ro rw suid nosuid dev nodev exec noexec noatime sync dirsync fsname= subtype= max_read=
            contract=linux-2.6.19 contract=linux-2.6.20 flush_policy=eager flush_policy=ext3
            block_size=512 block_size=1024 block_size=2048 block_size=4096 commit_interval=
            dirty_limit= probe= trace= log_level= log_file= threads=' -- "$last")
        compopt -o nospace
        return
        ;;
    esac
    if [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W '--contract --flush-policy --block-size
            --commit-interval --dirty-limit --probe --trace --log-level --log-file --threads
            --foreground --debug --wait --unmount --help --version -f -s -d -o -h -V' -- "$current")
        return
    fi
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -d -- "$current")
}

complete -F _partialfs partialfs
