# bash completion for vmmodel: put it into /usr/share/bash-completion/completions/vmmodel
# or source it.

_vmmodel() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local command=${COMP_WORDS[1]}
    local bounds='--pages --blocks --processes --stores --writes --commits --writepages --fsyncs
        --msyncs --unmaps --strips --truncates --memory --format'
    local words=''
    COMPREPLY=()
    case $previous in
    --era) words='linux-2.6.18 linux-2.6.19 linux-2.6.20 linux-2.6.23 linux-2.6.27' ;;
    --filesystem)
        words='ordered ordered-eager writeback'
        [ "$command" != predict ] || words+=' reiserfs'
        ;;
    --races) [ "$command" = simulate ] || words='auto never always' ;;
    --through) words='kernel fuse' ;;
    --block-size) words='512 1024 2048 4096' ;;
    --format) [ "$command" = table ] && words='table markdown json' || words='table json dot svg' ;;
    esac
    if [ -z "$words" ] && [ "$COMP_CWORD" -eq 1 ]; then
        words='explore table simulate predict play --help --version'
    elif [ -z "$words" ] && [[ $current == -* ]]; then
        case $command in
        explore) words="--era --filesystem $bounds --all --races --help" ;;
        table) words="$bounds --help" ;;
        simulate) words='--era --filesystem --seed --ops --pages --mappings --block-size --races
            --max-losses --json --help' ;;
        predict) words='--era --filesystem --through --block-size --json --check --help' ;;
        play) words='--era --filesystem --block-size --id --help' ;;
        esac
    fi
    if [ -n "$words" ]; then
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    elif [ "$command" = predict ] || [ "$command" = play ]; then
        compopt -o default
    fi
}
complete -F _vmmodel vmmodel
