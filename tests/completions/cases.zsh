# What zsh offers for command lines, without a user: sourced by an interactive zsh on a terminal.
#
# CASES is a file with a command line a line; RESULT gets each command line's matches, a line each,
# and then a line that holds just a dot. FUNCTIONS is the directory with the completion functions.
fpath=("$FUNCTIONS" $fpath)
autoload -Uz compinit
compinit -u -D
zstyle ':completion:*' completer _complete # no corrections, no approximations
LISTMAX=10000

# All matches pass through compadd. With -O, -A or -D it only fills an array; with anything else it adds
# matches: those are written down.
compadd() {
    local word
    for word in "$@"; do
        case $word in
        - | --) break ;;
        -[OAD]*) builtin compadd "$@"; return ;;
        esac
    done
    local -a found
    builtin compadd -A found "$@"
    print -rl -- $found >>"$RESULT"
    builtin compadd "$@"
}

try-all() {
    local line
    while IFS= read -r line; do
        BUFFER=$line
        CURSOR=$#BUFFER
        zle list-choices
        print -r -- . >>"$RESULT"
    done <"$CASES"
    exit
}
zle -N try-all
bindkey '^T' try-all
print -r -- ready
