# bash completion for mmapstress: put it into /usr/share/bash-completion/completions/mmapstress
# or source it.

_mmapstress() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local command='' word options
    local commands='run replay minimise verify explain selftest workloads'
    COMPREPLY=()
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case $word in
        -*) ;;
        *)
            [[ " $commands " == *" $word "* ]] && command=$word && break
            ;;
        esac
    done
    case $previous in
    --workload | -w)
        mapfile -t COMPREPLY < <(compgen -W 'mix recipe linus torrent apt pressure' -- "$current")
        return
        ;;
    --format)
        mapfile -t COMPREPLY < <(compgen -W 'human json ktap junit' -- "$current")
        return
        ;;
    --skip)
        mapfile -t COMPREPLY < <(compgen -W 'live pread direct' -- "$current")
        return
        ;;
    --commit-by)
        mapfile -t COMPREPLY < <(compgen -W 'sibling syncfs sync' -- "$current")
        return
        ;;
    --report | --schedule | --trace | --disk | --output | -o)
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        compopt -o filenames 2>/dev/null
        return
        ;;
    --seed | --size | --files | --ops | --duration | --threads | --processes | --max-ranges | \
        --memory | --runs)
        return # a number: nothing to propose
        ;;
    esac
    if [ -z "$command" ]; then
        mapfile -t COMPREPLY < <(compgen -W "$commands --help --version" -- "$current")
        return
    fi
    if [[ $current == -* ]]; then
        case $command in
        run)
            options='--workload --seed --size --files --ops --duration --threads --processes
                     --commit-by --memory --disk --skip --keep --schedule --report --format
                     --max-ranges'
            ;;
        replay) options='--disk --skip --keep --schedule --report --format --max-ranges' ;;
        verify) options='--disk --skip --report --format --max-ranges' ;;
        minimise) options='--disk --output' ;;
        explain) options='--trace --max-ranges' ;;
        selftest) options='--seed --runs' ;;
        *) options='' ;;
        esac
        mapfile -t COMPREPLY < <(compgen -W "$options --help" -- "$current")
        return
    fi
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
    compopt -o filenames 2>/dev/null
}
complete -F _mmapstress mmapstress
