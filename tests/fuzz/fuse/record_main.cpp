// Records the requests of a real mount as a seed of the FUSE fuzz target.
//
// usage: record_fuse_requests SOURCE MOUNTPOINT SEED
//
// Mounts SOURCE at MOUNTPOINT (root alone may), serves it until it is unmounted, then writes SEED.
#include "fusefs/base/mutex.hpp"
#include "fusefs/startup/filesystem.hpp"
#include "tests/fuzz/fuse/numbers.hpp"
#include "tests/fuzz/fuse/script.hpp"

#include <fcntl.h>
#include <linux/fuse.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

namespace partialfs::fuzz {
namespace {

/// Passes everything between libfuse and /dev/fuse through, and records what a script needs. One
/// instance a process: libfuse's callbacks cannot be given a pointer of ours.
class Recording {
  public:
    static Recording& the() {
        static Recording recording;
        return recording;
    }
    static fuse_custom_io io() {
        fuse_custom_io io{};
        io.read = [](int fd, void* buffer, std::size_t size, void* /*userdata*/) {
            const ssize_t got = ::read(fd, buffer, size);
            if (got > 0) {
                the().note_request(
                    {static_cast<const std::byte*>(buffer), static_cast<std::size_t>(got)});
            }
            return got;
        };
        io.writev = [](int fd, iovec* parts, int count, void* /*userdata*/) {
            the().note_answer({parts, static_cast<std::size_t>(count)});
            return ::writev(fd, parts, count);
        };
        return io;
    }
    Bytes seed() {
        const base::Lock lock(mutex_);
        return writer_.bytes();
    }

  private:
    /// The limit of a script.
    static constexpr std::size_t kMostArguments = 65535;

    void note_request(std::span<const std::byte> request) {
        fuse_in_header header{};
        std::memcpy(&header, request.data(), sizeof header);
        std::span<const std::byte> arguments = request.subspan(sizeof header);
        const base::Lock lock(mutex_);
        if (header.opcode == FUSE_NOTIFY_REPLY) {
            arguments = arguments.subspan(sizeof(fuse_notify_retrieve_in));
            writer_.add_retrieved(arguments.first(std::min(arguments.size(), kMostArguments)));
            return;
        }
        const RequestLayout* layout = layout_of(header.opcode);
        if (layout == nullptr) {
            return; // INIT, DESTROY
        }
        waiting_.emplace(header.unique, header.opcode);
        Bytes taken_out = numbers_.taken_out(
            *layout, arguments.first(std::min(arguments.size(), kMostArguments)));
        writer_.add({.opcode = static_cast<std::uint8_t>(header.opcode),
                     .inode = numbers_.byte_of_inode(header.nodeid),
                     .by_root = header.uid == 0,
                     .arguments = std::move(taken_out)});
    }

    void note_answer(std::span<const iovec> parts) {
        Bytes answer;
        for (const iovec& part : parts) {
            const auto* const begin = static_cast<const std::byte*>(part.iov_base);
            answer.insert(answer.end(), begin, begin + part.iov_len);
        }
        fuse_out_header header{};
        std::memcpy(&header, answer.data(), sizeof header);
        const base::Lock lock(mutex_);
        const auto request = waiting_.find(header.unique);
        if (request == waiting_.end()) {
            return; // a notification
        }
        if (header.error == 0) {
            numbers_.learn(request->second, std::span(answer).subspan(sizeof header));
        }
        waiting_.erase(request);
    }

    base::Mutex mutex_; ///< guards the members below; a leaf
    Numbers numbers_ GUARDED_BY(mutex_);
    ScriptWriter writer_ GUARDED_BY(mutex_);
    std::map<std::uint64_t, std::uint32_t> waiting_ GUARDED_BY(mutex_); ///< opcodes
};

base::Fd mount_at(const std::filesystem::path& mountpoint) {
    auto connection = base::Fd::open(AT_FDCWD, "/dev/fuse", O_RDWR);
    if (!connection) {
        throw std::system_error(connection.error().value, std::generic_category(), "/dev/fuse");
    }
    const std::string options = "fd=" + std::to_string(connection->get()) +
                                ",rootmode=40000,user_id=0,group_id=0,allow_other,"
                                "default_permissions";
    if (::mount("partialfs", mountpoint.c_str(), "fuse", MS_NOSUID | MS_NODEV, options.c_str()) !=
        0) {
        throw std::system_error(errno, std::generic_category(), "mount " + mountpoint.string());
    }
    return std::move(*connection);
}

void record(const std::filesystem::path& source, const std::filesystem::path& mountpoint,
            const std::filesystem::path& seed) {
    fuse::Session::block_end_signals();
    ::umask(0);
    startup::Options options = small_mount();
    options.source = source;
    options.mountpoint = mountpoint;
    faults::FaultBook faults;
    startup::Filesystem filesystem(options, fuse::Probe::compare, faults);
    if (const auto connected = filesystem.connect(Recording::io(), mount_at(mountpoint));
        !connected) {
        throw std::runtime_error(connected.error());
    }
    filesystem.serve([] { return true; });
    const Bytes bytes = Recording::the().seed();
    std::ofstream file(seed, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    if (!file.flush()) {
        throw std::runtime_error(seed.string() + " cannot be written");
    }
}

} // namespace
} // namespace partialfs::fuzz

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fprintf(stderr, "usage: %s SOURCE MOUNTPOINT SEED\n", argv[0]);
        return 2;
    }
    try {
        partialfs::fuzz::record(argv[1], argv[2], argv[3]);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
        return 1;
    }
    return 0;
}
