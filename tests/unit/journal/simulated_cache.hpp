// A page cache for tests of the journal: simulates what the kernel does with a mapped file.
#pragma once

#include "fusefs/file/file_data.hpp"
#include "fusefs/file/page_cache.hpp"
#include "fusefs/model/types.hpp"

#include <cerrno>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace partialfs::journal {

/// Whole pages of one file: all cached, some PG_dirty.
class SimulatedCache final : public file::PageCache {
  public:
    struct Page {
        std::vector<std::byte> bytes = std::vector<std::byte>(model::kPageSize);
        bool dirty = false;
    };
    std::map<model::PageIndex, Page> pages;
    /// Called during a retrieve, after the copy has been made: for races.
    std::function<void()> during_retrieve;
    int retrieves = 0;
    std::uint64_t looked_at = 0; ///< number of pages that dirty_pages() was asked about
    bool can_tell = true;        ///< whether is_clean() has an answer
    bool gone = false;           ///< unmounted: nothing can be asked any more
    int probe_error = 0;         ///< an errno with which dirty_pages() fails
    int retrieve_error = 0;      ///< an errno with which retrieve() fails

    [[nodiscard]] std::uint64_t retrieve_limit() const override { return 4; }
    base::Result<file::PageSet> dirty_pages(file::JournaledFile&,
                                            const file::PageSet& among) override {
        file::PageSet set;
        looked_at += among.count();
        if (gone || probe_error != 0) {
            return base::failed(gone ? ENODEV : probe_error);
        }
        for (const auto& [index, page] : pages) {
            if (page.dirty && among.contains(index)) {
                set.append({index, index});
            }
        }
        return set;
    }
    base::Result<file::RetrievedPages> retrieve(model::InodeId, file::PageRange range) override {
        ++retrieves;
        if (gone || retrieve_error != 0) {
            return base::failed(gone ? ENODEV : retrieve_error);
        }
        auto copy = std::make_shared<std::vector<std::byte>>();
        for (model::PageIndex page = range.first; page <= range.last; ++page) {
            const auto cached = pages.find(page);
            if (cached == pages.end()) {
                break;
            }
            copy->insert(copy->end(), cached->second.bytes.begin(), cached->second.bytes.end());
        }
        if (during_retrieve) {
            during_retrieve();
        }
        return file::RetrievedPages{copy, *copy};
    }
    std::optional<bool> is_clean(model::InodeId, model::PageIndex page) override {
        if (!can_tell || gone) {
            return std::nullopt;
        }
        const auto cached = pages.find(page);
        return cached == pages.end() || !cached->second.dirty;
    }
    std::optional<file::PageSet> under_writeback_now(model::InodeId, model::ByteOffset) override {
        return file::PageSet{};
    }
    std::optional<std::uint64_t> dirty_count_now(model::InodeId inode,
                                                 model::ByteOffset size) override {
        const auto set = dirty_now(inode, size);
        return set ? std::optional{set->count()} : std::nullopt;
    }
    std::optional<file::PageSet> dirty_now(model::InodeId, model::ByteOffset) override {
        if (!can_tell) {
            return std::nullopt;
        }
        file::PageSet set;
        for (const auto& [index, page] : pages) {
            if (page.dirty) {
                set.append({index, index});
            }
        }
        return set;
    }

    void store(std::uint64_t offset, std::size_t length, std::byte value) {
        for (std::uint64_t i = offset; i < offset + length; ++i) {
            Page& page = pages[model::PageIndex{i / model::kPageSize}];
            page.bytes[i % model::kPageSize] = value;
            page.dirty = true;
        }
    }
    /// The kernel writes a page back.
    base::Result<void> write_back(file::FileRequests& file, model::PageIndex index) {
        Page& page = pages[index];
        page.dirty = false;
        return file.writepage(start_of(index), page.bytes);
    }
};

} // namespace partialfs::journal
