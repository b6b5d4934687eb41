#!/usr/bin/env bash
# Builds the Dockerfile with buildah on a base image made by debootstrap, and runs what it shows:
# by the model without options, on a real mount with /dev/fuse.
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
cleanup() {
    buildah rm --all >/dev/null 2>&1 || true
    rm -rf --one-file-system "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

"$source/tests/package/debian-root.sh" "$work/root"
base=$(buildah from scratch)
buildah copy -q "$base" "$work/root" / >/dev/null
buildah commit -q "$base" localhost/debian-12 >/dev/null
buildah rm "$base" >/dev/null
rm -rf --one-file-system "$work/root"

# The compiler's cache makes the second build quick; the image does not depend on it.
ccache=$(ccache --get-config cache_dir 2>/dev/null || echo "$work/ccache")
mkdir -p "$ccache"
git -C "$source" ls-files -z | (cd "$source" && tar --null -T - -cf "$work/source.tar")
mkdir "$work/source" && tar -C "$work/source" -xf "$work/source.tar"
buildah build --pull-never --build-arg BASE=localhost/debian-12 -v "$ccache:/root/.cache/ccache" \
    -t localhost/partialfs "$work/source"

container=$(buildah from --pull-never localhost/partialfs)
echo "--- without options: by the model"
buildah run "$container" -- /usr/share/partialfs/scripts/reproduce.sh --installed --model
if [ -e /dev/fuse ]; then
    echo "--- with /dev/fuse and the right to mount"
    buildah run --device /dev/fuse --cap-add SYS_ADMIN "$container" -- \
        /usr/share/partialfs/scripts/reproduce.sh --installed
fi
