// An independent, naive reference: one file under Linux 2.6.19's ext3, byte by byte.
//
// Shares no code with fusefs/model. Every byte has its own copy of its block's bits, and every rule
// is a loop over bytes: slow, but simple enough to check by reading.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace partialfs::test {

class NaiveFile {
  public:
    NaiveFile(std::size_t size, std::size_t block, bool fixed, bool eager)
        : block_(block), fixed_(fixed), eager_(eager), bytes_(size) {}

    void pwrite(std::size_t begin, std::size_t end, std::uint8_t value) {
        for (std::size_t i = begin; i < end; ++i) {
            bytes_[i].memory = value;
        }
        for (std::size_t i = 0; i < bytes_.size(); ++i) {
            const std::size_t block_begin = i / block_ * block_;
            if (block_begin < end && begin < block_begin + block_) {
                bytes_[i].dirty = bytes_[i].joined = bytes_[i].has_place = true;
            }
        }
    }

    /// One page at a time: the caller cuts at page boundaries.
    void store(std::size_t begin, std::size_t end, std::uint8_t value) {
        const std::size_t page = begin / kPage;
        for (std::size_t i = page * kPage; i < page_end(page); ++i) {
            // The first store after the page table entry was cleaned faults, and the VM marks the
            // page dirty.
            if (!bytes_[i].writable) {
                bytes_[i].writable = bytes_[i].page_dirty = bytes_[i].dirty = true;
            }
        }
        for (std::size_t i = begin; i < end; ++i) {
            bytes_[i].memory = value;
        }
    }

    void commit() {
        for (Byte& byte : bytes_) {
            if (byte.dirty && (eager_ || byte.joined)) {
                byte.disk = byte.memory;
                byte.dirty = false;
                byte.has_place = true;
            }
            byte.joined = false;
        }
    }

    /// The kernel writes the page back, if a mapping has dirtied it.
    void writeback(std::size_t page) {
        for (std::size_t i = page * kPage; i < page_end(page); ++i) {
            Byte& byte = bytes_[i];
            if (!byte.page_dirty) {
                continue;
            }
            if (byte.dirty || fixed_) {
                byte.disk = byte.memory;
                byte.has_place = true;
            }
            byte.dirty = byte.page_dirty = byte.writable = false;
            byte.joined = byte.joined || byte.has_place;
        }
    }

    [[nodiscard]] bool mapping_dirty(std::size_t page) const {
        return bytes_[page * kPage].page_dirty;
    }
    [[nodiscard]] std::uint8_t memory(std::size_t i) const { return bytes_[i].memory; }
    [[nodiscard]] std::uint8_t disk(std::size_t i) const { return bytes_[i].disk; }
    [[nodiscard]] bool dirty(std::size_t i) const { return bytes_[i].dirty; }
    [[nodiscard]] std::size_t size() const { return bytes_.size(); }
    [[nodiscard]] std::size_t pages() const { return (bytes_.size() + kPage - 1) / kPage; }

    static constexpr std::size_t kPage = 4096;

  private:
    struct Byte {
        std::uint8_t memory = 0;
        std::uint8_t disk = 0;
        bool dirty = false;      // of its block
        bool joined = false;     // of its block: on the ordered list
        bool has_place = false;  // of its block: mapped to the disk
        bool page_dirty = false; // of its page, by a mapped store
        bool writable = false;   // of its page: the page table entry
    };

    [[nodiscard]] std::size_t page_end(std::size_t page) const {
        return std::min((page + 1) * kPage, bytes_.size());
    }

    std::size_t block_;
    bool fixed_;
    bool eager_;
    std::vector<Byte> bytes_;
};

} // namespace partialfs::test
