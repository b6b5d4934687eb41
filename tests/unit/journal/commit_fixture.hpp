// A journal and a file for it to commit.
#pragma once

#include "fusefs/file/file_data.hpp"
#include "fusefs/file/ledger_book.hpp"
#include "fusefs/journal/journal.hpp"
#include "fusefs/trace/recorder.hpp"
#include "tests/temporary_directory.hpp"
#include "tests/unit/file/ledger_text.hpp"
#include "tests/unit/file/watched_io.hpp"
#include "tests/unit/journal/simulated_cache.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <future>
#include <memory>
#include <optional>
#include <sstream>
#include <string>

namespace partialfs::journal {

/// One file, open for reading and writing, and a journal without a timer. cache_ stands for the
/// kernel's page cache.
class CommitTest : public ::testing::Test {
  protected:
    CommitTest()
        : context_{.io = io_,
                   .budget = budget_,
                   .ledger = ledger_,
                   .trace = trace_,
                   .settings = {.block_size = *model::BlockSize::from_bytes(1024),
                                .contract = model::Contract::linux_2_6_19,
                                .policy = model::FlushPolicy::eager}} {
        std::ofstream(directory_ / "file").flush();
        path_fd_ = *base::Fd::open(AT_FDCWD, (directory_ / "file").c_str(), O_PATH);
        struct stat status{};
        EXPECT_EQ(::fstat(path_fd_.get(), &status), 0);
        file_ = std::make_shared<file::FileData>(model::InodeId{2}, path_fd_, status, context_);
        told_ = *file_->opened(O_RDWR);
        journal_.emplace(context_, cache_, Journal::Options{.interval = {}});
        journal_->start();
    }
    ~CommitTest() override {
        journal_.reset();
        file_.reset();
    }

    void write(std::uint64_t offset, const std::string& text) {
        ASSERT_TRUE(file_->write(model::ByteOffset{offset}, std::as_bytes(std::span(text)),
                                 file::FileData::Via::page_cache, [] { return nullptr; }));
        for (std::size_t i = 0; i < text.size(); ++i) { // as the kernel does with cached pages
            const auto page = cache_.pages.find(model::PageIndex{(offset + i) / model::kPageSize});
            if (page != cache_.pages.end()) {
                page->second.bytes[(offset + i) % model::kPageSize] =
                    static_cast<std::byte>(text[i]);
            }
        }
        journal_->join(file_);
    }
    int commit() {
        std::promise<int> done;
        journal_->commit([&](int error) { done.set_value(error); });
        return done.get_future().get();
    }
    int fsync() {
        journal_->join(file_);
        std::promise<int> done;
        journal_->fsync(file_, false, [&](int error) { done.set_value(error); });
        return done.get_future().get();
    }
    [[nodiscard]] std::string disk() const {
        std::ostringstream contents;
        contents << std::ifstream(directory_ / "file", std::ios::binary).rdbuf();
        return contents.str();
    }
    void fail(const std::string& rules) { io_.set_faults(rules); }
    void join() { journal_->join(file_); }

    partialfs::testing::TemporaryDirectory directory_;
    file::WatchedIo io_;
    file::BufferBudget budget_{1U << 20U};
    file::LedgerBook ledger_{*model::BlockSize::from_bytes(1024)};
    trace::Recorder trace_{*model::BlockSize::from_bytes(1024)};
    file::Context context_;
    SimulatedCache cache_;
    base::Fd path_fd_;
    std::shared_ptr<file::FileData> file_;
    file::ErrorSequence::Position told_ = 0;
    std::optional<Journal> journal_;
};

} // namespace partialfs::journal
