# shellcheck shell=bash disable=SC2034,SC2154 # variables go between the parts that run.sh sources
# QEMU.

# A kernel image is a bzImage ("HdrS" at 0x202) or an ELF file with a PVH note, which QEMU boots too.
check_kernel_image() {
    local magic
    [ -e "$1" ] || die "$exit_usage" "no such file: $1"
    { [ -f "$1" ] && [ -r "$1" ]; } || die "$exit_usage" "cannot read $1"
    magic=$(dd if="$1" bs=1 skip=514 count=4 2>/dev/null | tr -d '\0')
    [ "$magic" = HdrS ] ||
        die "$exit_usage" "$1 is not a kernel image: give the bzImage (arch/x86/boot/bzImage of the build, /boot/vmlinuz-* of a distribution)"
}

# The words of every guest's command line. Under QEMU's translator old kernels fail the check of
# their timer interrupt; one that stops all the same may need --append 'noapic nolapic notsc'. A busy
# host makes a guest late, which is no lockup of its kernel.
kernel_words() {
    local words="console=ttyS0 rdinit=/init panic=1 loglevel=4 no_timer_check nosoftlockup"
    echo "$words${append:+ $append}"
}

# qemu_command IMAGE INITRAMFS DISK: sets the array qemu.
qemu_command() {
    local interface=virtio
    [ "$bus" = ide ] && interface=ide
    qemu=(qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot
        -m "$memory" -smp "$smp" -kernel "$1" -initrd "$2" -append "$(kernel_words)"
        -drive "file=$3,if=$interface,format=raw,cache=unsafe")
    if [ "$kvm" = true ]; then
        qemu+=(-accel kvm -cpu host)
    else
        qemu+=(-accel tcg)
    fi
}

# boot IMAGE INITRAMFS DISK LOG SECONDS: 0 when the guest rebooted, 124 when its time was up.
# The serial console goes to LOG; what QEMU itself says to LOG.qemu.
boot() {
    local log=$4 seconds=$5 pid status=0
    qemu_command "$1" "$2" "$3"
    timeout --kill-after=5 "$seconds" "${qemu[@]}" -serial "file:$log" \
        </dev/null >"$log.qemu" 2>&1 &
    pid=$!
    children+=("$pid")
    wait "$pid" 2>/dev/null || status=$? # bash would tell of a QEMU that ended by a signal
    return "$status"
}

# boot_shell IMAGE INITRAMFS DISK: the serial console on this terminal, until the guest reboots.
boot_shell() {
    qemu_command "$1" "$2" "$3"
    "${qemu[@]}" -serial mon:stdio
}
