#!/usr/bin/env bash
# Sourced, it defines version_of.

# version_of NAME ROOT: prints NAME with the version of this project: of the sources in ROOT or, where there are none, of
# the installed partialfs.
version_of() {
    if [ -e "$2/CMakeLists.txt" ]; then
        sed -nE "s/^project\(partialfs VERSION ([0-9.]+).*/$1 \1/p" "$2/CMakeLists.txt"
    else
        partialfs --version | sed "s/^partialfs/$1/"
    fi
}
