// A filesystem that loses data on purpose, to prove that mmapstress detects it.
//
//   lossyfs -o source=DIR,log=FILE[,every=N][,block=BYTES][,unmappable][,nodirect][,unreadable]
//           [,hang=FILE] [libfuse's own options] MOUNTPOINT
//
// Passes everything through to DIR, but of every Nth page that the kernel writes back it drops one
// block (not always the same one). The log is JSON Lines: {"event":"drop",...} at each drop, and at
// the unmount one {"event":"lost",...} for each range of bytes that was dropped and not written
// again, in ascending order, and an {"event":"end","pages":...,"drops":...} that proves it
// complete. `unmappable`: no file can be mapped shared and writable. `nodirect`: opening a file
// with O_DIRECT succeeds, but reading it fails. `unreadable`: the second page of no file can be
// read. `hang`: as long as FILE exists, no fsync returns, and no request after it is served. One
// thread serves all requests, so nothing here is locked.
#define FUSE_USE_VERSION 312

#include "tests/lossyfs/filesystem.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fuse3/fuse.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace lossyfs {
namespace {

using partialfs::model::kPageSize;

struct Options {
    char* source = nullptr;
    char* log = nullptr;
    unsigned every = 8;
    unsigned block = 1024;
    int unmappable = 0; ///< files are opened past the page cache: no shared mappings of them
    int nodirect = 0;
    int unreadable = 0;
    char* hang = nullptr;
};

Filesystem& filesystem() {
    return *static_cast<Filesystem*>(fuse_get_context()->private_data);
}

/// The return value of a system call in FUSE's convention: -errno for an error.
int result(int returned) {
    return returned < 0 ? -errno : returned;
}
int descriptor(const fuse_file_info* info) {
    return static_cast<int>(info->fh);
}

void* do_init(fuse_conn_info* connection, fuse_config* config) {
    // Without the kernel's writeback cache write(2) arrives at once; only mapped pages arrive
    // later.
    connection->want &= ~static_cast<unsigned>(FUSE_CAP_WRITEBACK_CACHE);
    connection->want &= ~static_cast<unsigned>(FUSE_CAP_AUTO_INVAL_DATA);
    config->kernel_cache = 1;
    config->use_ino = 1;
    config->nullpath_ok = 0;
    config->hard_remove = 1;
    return fuse_get_context()->private_data;
}

void do_destroy(void* data) {
    static_cast<Filesystem*>(data)->finish();
}

int do_getattr(const char* path, struct stat* status, fuse_file_info* info) {
    return result(info != nullptr ? ::fstat(descriptor(info), status)
                                  : ::lstat(filesystem().host(path).c_str(), status));
}

int do_mkdir(const char* path, mode_t mode) {
    return result(::mkdir(filesystem().host(path).c_str(), mode));
}

int do_unlink(const char* path) {
    const int error = result(::unlink(filesystem().host(path).c_str()));
    if (error == 0) {
        filesystem().dropped().unlinked(path);
    }
    return error;
}

int do_rmdir(const char* path) {
    return result(::rmdir(filesystem().host(path).c_str()));
}

int do_rename(const char* from, const char* to, unsigned flags) {
    if (flags != 0) {
        return -EINVAL;
    }
    const int error =
        result(::rename(filesystem().host(from).c_str(), filesystem().host(to).c_str()));
    if (error == 0) {
        filesystem().dropped().renamed(from, to);
    }
    return error;
}

int do_chmod(const char* path, mode_t mode, fuse_file_info* info) {
    return result(info != nullptr ? ::fchmod(descriptor(info), mode)
                                  : ::chmod(filesystem().host(path).c_str(), mode));
}

int do_truncate(const char* path, off_t size, fuse_file_info* info) {
    const int error = result(info != nullptr ? ::ftruncate(descriptor(info), size)
                                             : ::truncate(filesystem().host(path).c_str(), size));
    if (error == 0) {
        filesystem().dropped().gone(path,
                                    {partialfs::model::offset_of(size), ByteOffset{INT64_MAX}});
    }
    return error;
}

int do_utimens(const char* path, const timespec* times, fuse_file_info* info) {
    return result(info != nullptr ? ::futimens(descriptor(info), times)
                                  : ::utimensat(AT_FDCWD, filesystem().host(path).c_str(), times,
                                                AT_SYMLINK_NOFOLLOW));
}

int open_host(const char* path, int flags, mode_t mode, fuse_file_info* info) {
    // Pages are read for a mapping even through a handle opened for writing, so always both.
    flags = (flags & ~(O_ACCMODE | O_DIRECT | O_APPEND)) | O_RDWR;
    const int fd = ::open(filesystem().host(path).c_str(), flags | O_CLOEXEC, mode);
    if (fd < 0) {
        return -errno;
    }
    if ((flags & O_TRUNC) != 0) {
        filesystem().dropped().unlinked(path);
    }
    info->fh = static_cast<std::uint64_t>(fd);
    info->keep_cache = 1;
    info->direct_io = filesystem().unmappable() ? 1 : 0;
    return 0;
}

int do_open(const char* path, fuse_file_info* info) {
    return open_host(path, info->flags, 0, info);
}
int do_create(const char* path, mode_t mode, fuse_file_info* info) {
    return open_host(path, info->flags | O_CREAT, mode, info);
}

int do_release(const char*, fuse_file_info* info) {
    return result(::close(descriptor(info)));
}

int do_read(const char* path, char* buffer, std::size_t size, off_t offset, fuse_file_info* info) {
    const ByteOffset begin{static_cast<std::uint64_t>(offset)};
    const ByteRange range{begin, ByteOffset{begin.value + size}};
    const Failings& failings = filesystem().failings();
    if (failings.nodirect && (info->flags & O_DIRECT) != 0) {
        return -EINVAL;
    }
    if (failings.unreadable && range.contains(ByteOffset{kPageSize})) {
        return -EIO;
    }
    const auto bytes = Filesystem::read_all(descriptor(info), range);
    if ((info->flags & O_DIRECT) == 0) { // O_DIRECT reads do not enter the page cache
        filesystem().dropped().read(path, range);
    }
    std::memcpy(buffer, bytes.data(), bytes.size());
    return static_cast<int>(bytes.size());
}

int do_write(const char* path, const char* buffer, std::size_t size, off_t offset,
             fuse_file_info* info) {
    const std::span data{reinterpret_cast<const std::byte*>(buffer), size};
    const std::uint64_t begin = static_cast<std::uint64_t>(offset);
    if (info->writepage == 0) {
        const int error = filesystem().write(path, descriptor(info), ByteOffset{begin}, data);
        return error != 0 ? error : static_cast<int>(size);
    }
    for (std::size_t done = 0; done < size;) {
        const std::size_t length =
            std::min<std::size_t>(size - done, kPageSize - (begin + done) % kPageSize);
        const int error = filesystem().write_page(path, descriptor(info), ByteOffset{begin + done},
                                                  data.subspan(done, length));
        if (error != 0) {
            return error;
        }
        done += length;
    }
    return static_cast<int>(size);
}

int do_fsync(const char*, int data_only, fuse_file_info* info) {
    while (!filesystem().failings().hang.empty() &&
           ::access(filesystem().failings().hang.c_str(), F_OK) == 0) {
        ::usleep(10000);
    }
    return result(data_only != 0 ? ::fdatasync(descriptor(info)) : ::fsync(descriptor(info)));
}

int do_fallocate(const char* path, int mode, off_t offset, off_t length, fuse_file_info* info) {
    const int error = result(::fallocate(descriptor(info), mode, offset, length));
    if (error == 0 && (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) != 0) {
        const ByteOffset begin{static_cast<std::uint64_t>(offset)};
        filesystem().dropped().gone(
            path, {begin, ByteOffset{begin.value + static_cast<std::uint64_t>(length)}});
    }
    return error;
}

int do_statfs(const char* path, struct statvfs* status) {
    return result(::statvfs(filesystem().host(path).c_str(), status));
}

int do_readdir(const char* path, void* buffer, fuse_fill_dir_t fill, off_t, fuse_file_info*,
               fuse_readdir_flags) {
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(filesystem().host(path).c_str()),
                                                        &::closedir);
    if (!directory) {
        return -errno;
    }
    while (const dirent* entry = ::readdir(directory.get())) {
        if (fill(buffer, entry->d_name, nullptr, 0, fuse_fill_dir_flags{}) != 0) {
            break;
        }
    }
    return 0;
}

fuse_operations operations() {
    fuse_operations table{};
    table.init = do_init;
    table.destroy = do_destroy;
    table.getattr = do_getattr;
    table.mkdir = do_mkdir;
    table.unlink = do_unlink;
    table.rmdir = do_rmdir;
    table.rename = do_rename;
    table.chmod = do_chmod;
    table.truncate = do_truncate;
    table.utimens = do_utimens;
    table.open = do_open;
    table.create = do_create;
    table.release = do_release;
    table.read = do_read;
    table.write = do_write;
    table.fsync = do_fsync;
    table.fallocate = do_fallocate;
    table.statfs = do_statfs;
    table.readdir = do_readdir;
    return table;
}

int run(int argc, char** argv) {
    Options options;
    const std::array specification{
        fuse_opt{"source=%s", offsetof(Options, source), 0},
        fuse_opt{"log=%s", offsetof(Options, log), 0},
        fuse_opt{"every=%u", offsetof(Options, every), 0},
        fuse_opt{"block=%u", offsetof(Options, block), 0},
        fuse_opt{"unmappable", offsetof(Options, unmappable), 1},
        fuse_opt{"nodirect", offsetof(Options, nodirect), 1},
        fuse_opt{"unreadable", offsetof(Options, unreadable), 1},
        fuse_opt{"hang=%s", offsetof(Options, hang), 0},
        fuse_opt{nullptr, 0, 0},
    };
    fuse_args arguments = FUSE_ARGS_INIT(argc, argv);
    if (fuse_opt_parse(&arguments, &options, specification.data(), nullptr) != 0) {
        return 2;
    }
    const auto block = BlockSize::from_bytes(options.block);
    if (options.source == nullptr || options.log == nullptr || options.every == 0 || !block) {
        std::fprintf(stderr, "usage: lossyfs -o source=DIR,log=FILE[,every=N][,block=BYTES] "
                             "MOUNTPOINT\n");
        return 2;
    }
    Filesystem instance{options.source,
                        options.log,
                        options.every,
                        *block,
                        options.unmappable != 0,
                        {options.nodirect != 0, options.unreadable != 0,
                         options.hang == nullptr ? "" : options.hang}};
    if (!instance.log_is_open()) {
        std::fprintf(stderr, "lossyfs: %s: cannot write\n", options.log);
        return 1;
    }
    fuse_opt_add_arg(&arguments, "-s"); // one thread: see above
    const fuse_operations table = operations();
    const int status = fuse_main(arguments.argc, arguments.argv, &table, &instance);
    fuse_opt_free_args(&arguments);
    std::free(options.source);
    std::free(options.log);
    std::free(options.hang);
    return status;
}

} // namespace
} // namespace lossyfs

/// LeakSanitizer calls this. A directory that is open when the filesystem is unmounted lazily is
/// never released by the kernel, so libfuse's entries for it are never freed.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() {
    return "leak:libfuse3.so";
}

int main(int argc, char** argv) {
    return lossyfs::run(argc, argv);
}
