#!/usr/bin/env bash
# scripts/install-deps.sh with an apt that is busy and lacks a package: it waits, names the package, and installs the
# others. Also which packages a label selects.
#
# usage: install_deps_test.sh SOURCE_DIR
set -uo pipefail
cd "$1" || exit 1
. tests/package/script_fixture.sh

fake=$mine/fake
mkdir "$fake"
printf '#!/bin/sh\nexit 1\n' >"$fake/dpkg-query" # nothing is installed
printf '#!/bin/sh\ncase "$*" in *reiserfsprogs*) exit 100 ;; esac\n' >"$fake/apt-cache"
printf '#!/bin/sh\nexec "$@"\n' >"$fake/sudo"
printf '#!/bin/sh\n' >"$fake/sleep"
cat >"$fake/apt-get" <<END
#!/bin/sh
echo "\$*" >>"$mine/calls"
case "\$*" in
*update*)
    [ \$(grep -c update "$mine/calls") -gt 2 ] && exit 0
    echo 'E: Could not get lock /var/lib/apt/lists/lock. It is held by process 1 (apt-get)' >&2
    exit 100 ;;
esac
END
chmod +x "$fake"/*

code=0
PATH=$fake:$PATH scripts/install-deps.sh --label qemu >"$mine/out" 2>&1 || code=$?
expect 'a busy apt, a missing package' 0 "$code" 'another process uses apt; waiting' \
    'no package reiserfsprogs: going on without' '^installing: .*qemu-system-x86'
grep -v update "$mine/calls" >"$mine/out"
expect 'what is installed' 0 0 'DPkg::Lock::Timeout' ' qemu-system-x86'
! grep -q reiserfsprogs "$mine/out" || fail 'the package that does not exist was asked for'

scripts/install-deps.sh --list --label unit >"$mine/out"
expect 'the packages of one label' 0 $? '^g\+\+$' '^libgtest-dev$'
! grep -qxE 'qemu-system-x86|rtorrent|clang-19|lintian' "$mine/out" || fail 'unit tests need none of those'
scripts/install-deps.sh --list --build >"$mine/out"
expect 'the packages of the build' 0 $? '^libfuse3-dev$'
! grep -q gtest "$mine/out" || fail 'the build needs no gtest'
scripts/install-deps.sh --list --label 'lint|package' >"$mine/out"
expect 'the packages of two labels' 0 $? '^clang-tidy-19$' '^lintian$'
code=0
scripts/install-deps.sh --nonsense >"$mine/out" 2>&1 || code=$?
expect 'an unknown option' 2 "$code" "unknown option '--nonsense'"
end_of_test
