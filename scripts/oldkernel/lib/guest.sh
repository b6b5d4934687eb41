# shellcheck shell=bash disable=SC2034,SC2154 # variables go between the parts that run.sh sources
# The programs that run inside the guest, and the initramfs that carries them.

# build_init: the first process, static with musl. Sets guest_init.
build_init() {
    local stamp
    need musl-gcc musl-tools
    stamp=$(cat "$here"/guest/*.[ch] | sha256sum | cut -c 1-16)
    guest_init=$cache/init-$stamp
    [ -x "$guest_init" ] && return
    note "building the guest's init"
    musl-gcc -std=gnu17 -O2 -Wall -Wextra -static -o "$guest_init.part" "$here"/guest/*.c \
        >"$temporary/init.log" 2>&1 ||
        die "$exit_unknown" "the guest's init does not build: $(grep -m 1 error "$temporary/init.log")"
    mv "$guest_init.part" "$guest_init"
}

# add_module ROOT NAME: a module of the kernel and all that it needs, each once, in loading order.
add_module() {
    local root=$1 name=$2 path file
    while read -r path; do
        file=${path##*/}
        grep -qxF "$file" "$root/modules/order" && continue
        cp "$path" "$root/modules/$file"
        echo "$file" >>"$root/modules/order"
    done < <(PATH=$PATH:/usr/sbin:/sbin modprobe -C /dev/null -d "$kernel_modules" -S "$kernel_release" \
        --show-depends "$name" 2>"$temporary/modprobe.log" | sed -n 's/^insmod \([^ ]*\).*/\1/p')
    if [ -s "$temporary/modprobe.log" ]; then
        die "$exit_unknown" "kernel $kernel_release has no module $name: $(head -n 1 "$temporary/modprobe.log")"
    fi
}

# module_for FILESYSTEM: the module that serves it. Debian's ext4 serves ext2 and ext3 too.
module_for() {
    case $1 in
    ext2 | ext3) echo ext4 ;;
    *) echo "$1" ;;
    esac
}

# guest_root DIRECTORY FILESYSTEM [MKCLEAN_MODULE]: what every guest has.
guest_root() {
    local root=$1 filesystem=$2 mkclean=${3:-}
    mkdir -p "$root/modules" "$root/runs" "$root/bin"
    : >"$root/modules/order"
    cp "$guest_init" "$root/init"
    if [ -n "$kernel_modules" ]; then
        add_module "$root" virtio_pci
        add_module "$root" virtio_blk
        add_module "$root" "$(module_for "$filesystem")"
    fi
    if [ -n "$mkclean" ]; then
        cp "$mkclean_modules/$mkclean.ko" "$root/modules/"
        echo "$mkclean.ko" >>"$root/modules/order"
    fi
}

# copy_program PROGRAM ROOT: a dynamic program of the host into /bin, with its loader and its
# libraries, each where it is here.
copy_program() {
    local file
    install -m 755 "$1" "$2/bin/"
    while read -r file; do
        install -D -m 755 "$file" "$2$file"
    done < <(ldd "$1" | grep -o '/[^ ]*')
}

# setting ROOT KEY VALUE: guest.KEY=VALUE, where VALUE has no blanks.
setting() { echo "guest.$2=$3" >>"$1/settings"; }

# make_initramfs ROOT FILE
make_initramfs() {
    need python3 python3
    python3 "$here/lib/newc.py" "$2" "$1" 2>"$temporary/newc.log" ||
        die "$exit_unknown" "cannot write the initramfs: $(tail -n 1 "$temporary/newc.log")"
}
