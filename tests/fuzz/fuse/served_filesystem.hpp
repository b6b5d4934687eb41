// The filesystem as startup::Daemon puts it together, for tests that bring the connection.
#pragma once

#include "fusefs/backing/file_io.hpp"
#include "fusefs/file/buffer.hpp"
#include "fusefs/file/context.hpp"
#include "fusefs/file/ledger_book.hpp"
#include "fusefs/fuse/control_directory.hpp"
#include "fusefs/fuse/fuse_page_cache.hpp"
#include "fusefs/fuse/inode_reclaimer.hpp"
#include "fusefs/fuse/inode_table.hpp"
#include "fusefs/fuse/mount.hpp"
#include "fusefs/fuse/session.hpp"
#include "fusefs/journal/journal.hpp"
#include "fusefs/trace/recorder.hpp"
#include "tests/fuzz/fuse/script.hpp"

#include <filesystem>

namespace partialfs::fuzz {

/// Probes by retrieving and comparing: the kernel's part is then requests and replies alone.
class ServedFilesystem {
  public:
    /// `mountpoint` need not be a mount, nor exist: then no page can be evicted. Throws
    /// std::runtime_error.
    ServedFilesystem(const std::filesystem::path& source, const std::filesystem::path& mountpoint,
                     const MountSettings& settings);
    ServedFilesystem(const ServedFilesystem&) = delete;
    ServedFilesystem& operator=(const ServedFilesystem&) = delete;
    ~ServedFilesystem() = default;

    /// Answers INIT, which must come by itself. Throws std::runtime_error.
    void connect(const fuse_custom_io& io, base::Fd connection);
    /// Serves requests until the connection is closed or a signal ends it, commits, and joins all
    /// threads. Once, after connect().
    void serve();

  private:
    backing::FileIo io_;
    trace::Recorder trace_;
    file::LedgerBook ledger_;
    file::BufferBudget budget_;
    file::MemoryPool small_memory_{0};
    file::Context context_;
    fuse::InodeTable inodes_;
    file::MemoryPool memory_{2};
    fuse::FusePageCache page_cache_;
    journal::Journal journal_;
    fuse::InodeReclaimer reclaimer_;
    fuse::ControlDirectory control_;
    fuse::Mount mount_;
    fuse::Session session_;
};

} // namespace partialfs::fuzz
