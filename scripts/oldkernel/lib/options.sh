# shellcheck shell=bash disable=SC2034,SC2154 # variables go between the parts that run.sh sources
# The command line's values, checked before anything is done.

number_or_usage() {
    [[ $2 =~ ^[1-9][0-9]{0,6}$ ]] || usage_error "$1 takes a number from 1, not '$2'"
}

# in_list WORD WORDS...
in_list() {
    local word=$1 candidate
    shift
    for candidate in "$@"; do
        [ "$word" = "$candidate" ] && return 0
    done
    return 1
}

check_expectation() {
    in_list "${1##*=}" damage clean ||
        usage_error "--expect takes [ROW=]damage or [ROW=]clean, not '$1'"
}

check_options() {
    local word
    for word in smp:"$smp" memory:"$memory" disk:"$disk_size" timeout:"$timeout" jobs:"$jobs"; do
        number_or_usage "--${word%%:*}" "${word#*:}"
    done
    [[ $seeds =~ ^[1-9][0-9]{0,8}$ || $seeds =~ ^[0-9]{1,9}-[0-9]{1,9}$ ]] ||
        usage_error "--seeds takes a number of seeds or FIRST-LAST, not '$seeds'"
    # 10# because a number with a leading zero is octal otherwise.
    [[ $seeds != *-* ]] || [ "$((10#${seeds%-*}))" -le "$((10#${seeds#*-}))" ] ||
        usage_error "--seeds takes FIRST-LAST, and $seeds has none"
    in_list "$workload" recipe linus torrent apt mix pressure ||
        usage_error "no workload '$workload': recipe, linus, torrent, apt, mix or pressure"
    in_list "$format" table json ktap || usage_error "no format '$format': table, json or ktap"
    [ -z "$fix" ] || in_list "$fix" undone present both ||
        usage_error "--fix takes undone, present or both, not '$fix'"
    [ "$way" != kernel ] || [ -z "$fix" ] ||
        usage_error "--fix has no meaning with --kernel: your kernel has the fix or has it not"
    [ "$way" != kernel ] || ! $matrix || usage_error "--matrix goes with --debian and --source"
    [ "$way" != kernel ] || check_kernel_image "$kernel_image"
    [ -n "$bus" ] || { [ "$way" = kernel ] && bus=ide || bus=virtio; }
    in_list "$bus" virtio ide || usage_error "--bus takes virtio or ide, not '$bus'"
    [ "$way" = kernel ] || [ "$bus" = virtio ] || usage_error "--bus ide goes with --kernel only"
    contracts=${contracts//,/ }
    [ "$contracts" != both ] || contracts="linux-2.6.19 linux-2.6.20"
    for word in $contracts; do
        in_list "$word" linux-2.6.19 linux-2.6.20 both ||
            usage_error "--partialfs takes linux-2.6.19, linux-2.6.20 or both, not '$word'"
    done
    for word in ${fs_list//,/ }; do
        # shellcheck disable=SC2086
        in_list "$word" $filesystems || usage_error "no filesystem '$word': $filesystems"
    done
    for word in ${block_list//,/ }; do
        in_list "$word" 1024 4096 || usage_error "--block-size takes 1024, 4096 or both with a comma, not '$word'"
    done
    for word in "${expectations[@]}"; do
        check_expectation "$word"
    done
    for word in "${schedules[@]}"; do
        { [ -r "$word" ] && [ -f "$word" ]; } || usage_error "cannot read the schedule $word"
    done
    can_write --json "$json_file"
    can_write --ktap "$ktap_file"
    $kvm || return 0
    [ -w /dev/kvm ] || die "$exit_unknown" "--kvm: cannot use /dev/kvm; run without it"
}

# --check: one line for each thing that is missing for --debian, exit 0 if nothing is.
note_what_is_missing() {
    local missing=() command
    for command in qemu-system-x86_64 musl-gcc mkreiserfs make gcc-12 depmod python3 cmake; do
        command -v "$command" >/dev/null || [ -x "/usr/sbin/$command" ] || missing+=("$command")
    done
    if [ ${#missing[@]} -gt 0 ]; then
        die "$exit_unknown" "not installed: ${missing[*]}; scripts/install-deps.sh --oldkernel installs what is needed"
    fi
    if [ ! -e "$cache_directory/debian/ready" ] && [ -z "$(debian_image_package)" ]; then
        die "$exit_unknown" "Debian's kernel 6.1 is neither in $cache_directory nor known to apt: run apt-get update as root"
    fi
    exit 0
}
