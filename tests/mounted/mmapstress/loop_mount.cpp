#include "tests/mounted/mmapstress/loop_mount.hpp"

#include "tests/mounted/mount.hpp"

#include <sched.h>
#include <sys/mount.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <thread>

namespace partialfs::testing {

namespace fs = std::filesystem;

std::optional<std::string> LoopMount::mount(const Filesystem& filesystem, const char* options) {
    static const bool apart = ::unshare(CLONE_NEWNS) == 0 &&
                              ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    if (!apart) {
        return "mounts of our own need root";
    }
    const fs::path image = temporary_ / "image";
    std::ofstream(image).close();
    fs::resize_file(image, filesystem.mebibytes << 20U);
    std::vector<std::string> mkfs = filesystem.mkfs;
    mkfs.push_back(image);
    if (const auto made = run_program(mkfs); made.code != 0) {
        return mkfs[0] + " does not work here: " + made.errors;
    }
    fs::create_directory(path());
    return mount_image(options);
}

std::optional<std::string> LoopMount::mount_image(const std::string& options) {
    const auto mounted =
        run_program({"mount", "-o", "loop," + options, temporary_ / "image", path()});
    if (mounted.code != 0) {
        return "a loop device cannot be mounted here: " + mounted.errors;
    }
    mounted_ = true;
    return std::nullopt;
}

std::optional<std::string> LoopMount::remount() {
    // A program that was just killed, and its children, may take a moment to end.
    int unmounted = ::umount2(path().c_str(), 0);
    for (int tries = 0; unmounted != 0 && errno == EBUSY && tries < 1000; ++tries) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        unmounted = ::umount2(path().c_str(), 0);
    }
    if (unmounted != 0) {
        return std::string("cannot unmount: ") + std::strerror(errno);
    }
    mounted_ = false;
    return mount_image("rw");
}

LoopMount::~LoopMount() {
    if (mounted_) {
        ::umount2(path().c_str(), MNT_DETACH);
    }
}

} // namespace partialfs::testing
