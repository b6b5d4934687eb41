#!/usr/bin/env bash
# The man page has exactly the commands, options and workloads that mmapstress has, and every member of the report.
#
#   documented_test.sh MMAPSTRESS SOURCE_DIRECTORY
set -euo pipefail

mmapstress=$1
source=$2
failed=0
bad() {
    echo "$1" >&2
    failed=1
}

# options_in FILE: prints the long options in a text, one a line.
options_in() { sed 's/\\-/-/g' "$1" | grep -oE -- '--[a-z][a-z-]*' | sort -u; }

man=$source/tools/mmapstress/mmapstress.1
help=$(mktemp)
trap 'rm -f "$help"' EXIT

commands=$("$mmapstress" --help | sed -n '/^Subcommands/,$p' | grep -oE '^  [a-z]+' | tr -d ' ')
[ -n "$commands" ] || bad "mmapstress --help names no commands"
echo '--help --version' >"$help"
for command in $commands; do
    grep -qE "^.fB$command" "$man" || bad "the man page lacks the command $command"
    "$mmapstress" "$command" --help | sed -n '/^Options/,$p' >>"$help"
done
workloads=$("$mmapstress" workloads | cut -d ' ' -f 1)
for workload in $workloads; do
    grep -qw -- "$workload" "$man" || bad "the man page lacks the workload $workload"
done
missing=$(comm -23 <(options_in "$help") <(options_in "$man"))
[ -z "$missing" ] || bad "the man page lacks: $missing"
# --contract and --wait are partialfs' options, in an example.
invented=$(comm -13 <(options_in "$help") <(options_in "$man" | grep -vxE -- '--(contract|wait)'))
[ -z "$invented" ] || bad "the man page has, and mmapstress has not: $invented"
# The members of the report.
where=$(mktemp -d)
trap 'rm -rf "$help" "$where"' EXIT
"$mmapstress" run "$where" --ops 1 --format json >"$where/report" || true # fails on a tmpfs, which does not matter
members=$(grep -oE '^ "[a-z_]+"' "$where/report" | tr -d ' "')
[ -n "$members" ] || bad "--format json prints no report"
for member in $members; do
    grep -qE "^\.BR? .*\b$member\b" "$man" || bad "the man page lacks the report's $member"
done
exit $failed
