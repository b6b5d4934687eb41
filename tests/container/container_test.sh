#!/usr/bin/env bash
# Builds the Dockerfile with buildah on a base image made by debootstrap, and runs the image: without options it uses
# the model, with /dev/fuse a real mount.
#
# usage: container_test.sh SOURCE_DIR
set -euo pipefail
source=$(realpath "$1")

[ "$(id -u)" -eq 0 ] || { echo "skip: buildah's chroot isolation needs root here"; exit 77; }
for program in buildah debootstrap; do
    command -v "$program" >/dev/null || { echo "skip: $program is not installed"; exit 77; }
done

work=$(mktemp -d)
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
export CONTAINERS_STORAGE_CONF=$work/storage.conf
printf '[storage]\ndriver = "vfs"\nrunroot = "%s"\ngraphroot = "%s"\n' "$work/run" "$work/graph" \
    >"$CONTAINERS_STORAGE_CONF"
# The one directory of containers-storage whose place cannot be set.
cache=/var/lib/containers/cache
[ -e "$cache" ] && cache=
child=
cleanup() {
    [ -z "$child" ] || { kill "$child" && wait "$child"; } 2>/dev/null || true
    buildah rm --all >/dev/null 2>&1 || true
    rm -rf --one-file-system "$work"
    [ -z "$cache" ] || rm -rf "$cache"
    rmdir /var/lib/containers 2>/dev/null || true
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# In the background, so that an interrupt takes effect at once.
run() {
    "$@" &
    child=$!
    wait "$child"
    child=
}
# Runs `run`; the output goes to standard output and to $work/said.
run_and_keep() {
    run "$@" >"$work/said" 2>&1 || { cat "$work/said"; echo "FAILED: $*" >&2; exit 1; }
    cat "$work/said"
}

"$source/tests/package/debian-root.sh" "$work/root"
base=$(buildah from scratch)
buildah copy -q "$base" "$work/root" / >/dev/null
buildah commit -q "$base" localhost/debian-12 >/dev/null
buildah rm "$base" >/dev/null
rm -rf --one-file-system "$work/root"

# The compiler's cache makes the second build quick; it does not change the image.
ccache=$(ccache --get-config cache_dir 2>/dev/null || echo "$work/ccache")
mkdir -p "$ccache"
git -C "$source" ls-files -z | (cd "$source" && tar --null -T - -cf "$work/source.tar")
mkdir "$work/source" && tar -C "$work/source" -xf "$work/source.tar"
run buildah build --pull-never --build-arg BASE=localhost/debian-12 -v "$ccache:/root/.cache/ccache" \
    -t localhost/partialfs "$work/source"

container=$(buildah from --pull-never localhost/partialfs)
# The command that docker run would run.
command=$(buildah inspect --format '{{index .OCIv1.Config.Cmd 0}}' "$container")
option=$(buildah inspect --format '{{index .OCIv1.Config.Cmd 1}}' "$container")
echo "--- $command $option, without options: by the model"
# Chroot isolation keeps root's capabilities and shows the host's devices; a container engine's default does neither.
run_and_keep buildah run --cap-drop CAP_SYS_ADMIN "$container" -- "$command" "$option"
grep -q 'No mount is possible here' "$work/said" || { echo "FAILED: it did not go by the model" >&2; exit 1; }
grep -qE 'linux-2\.6\.19 +yes' "$work/said"
if [ -e /dev/fuse ]; then
    echo "--- with /dev/fuse and the right to mount"
    container=$(buildah from --pull-never --device /dev/fuse --cap-add CAP_SYS_ADMIN localhost/partialfs)
    run_and_keep buildah run --cap-add CAP_SYS_ADMIN "$container" -- "$command" "$option"
    grep -qE 'linux-2\.6\.19 +CORRUPT' "$work/said" || { echo "FAILED: no loss on a real mount" >&2; exit 1; }
    grep -qE 'linux-2\.6\.20 +clean 0' "$work/said"
fi
