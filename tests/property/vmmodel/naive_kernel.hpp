// A second implementation of the rules of Linux 2.6.18 to 2.6.23 with ext3 and its neighbours, and
// of a block device without buffer heads: byte by byte and block by block, with sets, as slow as
// need be. Shares nothing with the model.
#pragma once

#include <algorithm>
#include <cstddef>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace naive {

struct Kernel {
    std::string era;        // "linux-2.6.18", ...
    std::string filesystem; // "ext3", "eager", "writeback", "blockdev"
    long block = 1024;

    static constexpr long kPages = 4; // no file is longer
    static constexpr long kPage = 4096;
    static constexpr std::size_t kBytes = kPages * kPage;
    using Bytes = std::vector<unsigned char>;

    struct File {
        long size = 0;
        Bytes mem = Bytes(kBytes), disk = Bytes(kBytes), expected = Bytes(kBytes);
        std::set<std::pair<int, long>> present, dirty;          // (mapping, page)
        std::set<long> page_dirty;                              // pages
        std::set<long> block_dirty, journal, mapped, allocated; // blocks
        bool inode_dirty = true;
    };
    std::vector<File> files;

    [[nodiscard]] long per_page() const { return kPage / block; }
    [[nodiscard]] bool tracks() const { return era != "linux-2.6.18"; }
    [[nodiscard]] bool tells() const { return tracks() && era != "linux-2.6.19"; }

    static unsigned char at(const Bytes& bytes, long offset) {
        return bytes[static_cast<std::size_t>(offset)];
    }
    static void put(Bytes& bytes, long offset, unsigned char value) {
        bytes[static_cast<std::size_t>(offset)] = value;
    }

    [[nodiscard]] bool is_device() const { return filesystem == "blockdev"; }

    /// On a device only write(2) marks blocks dirty, unless the block is a whole page.
    void set_page_dirty(File& f, long page) const {
        f.page_dirty.insert(page);
        if (is_device() && per_page() > 1) {
            return;
        }
        for (long b = page * per_page(); b < (page + 1) * per_page(); ++b) {
            f.block_dirty.insert(b);
        }
    }
    void out(File& f, long b) const {
        for (long o = b * block; o < (b + 1) * block; ++o) {
            put(f.disk, o, at(f.mem, o));
        }
    }
    void store(int file, int map, long offset, long length, unsigned char value) {
        File& f = files[static_cast<std::size_t>(file)];
        for (long o = offset; o < offset + length; ++o) {
            const std::pair<int, long> pte{map, o / kPage};
            f.present.insert(pte);
            if (f.dirty.insert(pte).second && tracks()) {
                set_page_dirty(f, o / kPage);
            }
            put(f.mem, o, value);
            put(f.expected, o, value);
        }
    }
    void write(int file, long offset, long length, unsigned char value) {
        File& f = files[static_cast<std::size_t>(file)];
        f.inode_dirty = true;
        f.size = std::max(f.size, offset + length);
        for (long o = offset; o < offset + length; ++o) {
            put(f.mem, o, value);
            put(f.expected, o, value);
            f.page_dirty.insert(o / kPage);
            for (auto* set : {&f.allocated, &f.mapped, &f.journal, &f.block_dirty}) {
                set->insert(o / block);
            }
        }
    }
    void commit() {
        for (File& f : files) {
            if (filesystem == "writeback" || is_device()) {
                continue;
            }
            const std::set<long> list = filesystem == "ext3" ? f.journal : f.block_dirty;
            for (const long b : list) {
                if (b * block < f.size && f.block_dirty.contains(b)) {
                    out(f, b);
                    f.block_dirty.erase(b);
                    f.mapped.insert(b);
                    f.allocated.insert(b);
                }
            }
            f.journal.clear();
        }
    }
    void writepage(File& f, long page) const {
        if (!f.page_dirty.contains(page)) {
            return;
        }
        bool pte_dirty = false;
        for (const auto& pte : f.dirty) {
            pte_dirty = pte_dirty || pte.second == page;
        }
        if (tells() && pte_dirty) {
            set_page_dirty(f, page);
        }
        f.page_dirty.erase(page);
        if (tracks()) {
            std::erase_if(f.dirty, [&](const auto& pte) { return pte.second == page; });
        }
        for (long o = std::max(f.size, page * kPage); o < (page + 1) * kPage; ++o) {
            put(f.mem, o, 0);
            put(f.expected, o, 0);
        }
        for (long b = page * per_page(); b < (page + 1) * per_page(); ++b) {
            if (f.block_dirty.contains(b) && b * block < f.size) {
                if (f.allocated.insert(b).second) {
                    f.inode_dirty = true;
                }
                f.mapped.insert(b);
                out(f, b);
            }
            f.block_dirty.erase(b);
            if (f.mapped.contains(b)) {
                f.journal.insert(b);
            }
        }
    }
    void write_all(File& f) const {
        const std::set<long> pages = f.page_dirty;
        for (const long page : pages) {
            writepage(f, page);
        }
    }
    void fsync(int file) {
        File& f = files[static_cast<std::size_t>(file)];
        write_all(f);
        if (f.inode_dirty) {
            f.inode_dirty = false;
            commit();
        }
    }
    void msync(int file, int map) {
        File& f = files[static_cast<std::size_t>(file)];
        if (!tracks()) {
            collect(f, map);
        }
        fsync(file);
    }
    void collect(File& f, int map) const {
        const auto dirty = f.dirty;
        for (const auto& pte : dirty) {
            if (pte.first == map) {
                set_page_dirty(f, pte.second);
                f.dirty.erase(pte);
            }
        }
    }
    void sync_file_range(int file, long offset, long length) {
        File& f = files[static_cast<std::size_t>(file)];
        for (long page = offset / kPage; page <= (offset + length - 1) / kPage; ++page) {
            writepage(f, page);
        }
    }
    void sync() {
        for (File& f : files) {
            write_all(f);
            f.inode_dirty = false;
        }
        commit();
    }
    void drop(int file, int map, long first, long last) {
        File& f = files[static_cast<std::size_t>(file)];
        for (long page = first; page <= last; ++page) {
            if (f.dirty.erase({map, page}) != 0) {
                set_page_dirty(f, page);
            }
            f.present.erase({map, page});
        }
    }
    void unmap(int file, int map) { drop(file, map, 0, kPages - 1); }
    void truncate(int file, long size) {
        File& f = files[static_cast<std::size_t>(file)];
        f.inode_dirty = true;
        const long before = f.size;
        if (size == before) {
            return;
        }
        f.size = size;
        if (size < before) {
            const long gone = (size + kPage - 1) / kPage; // first page past the end
            std::erase_if(f.present, [&](const auto& pte) { return pte.second >= gone; });
            std::erase_if(f.dirty, [&](const auto& pte) { return pte.second >= gone; });
            std::erase_if(f.page_dirty, [&](long page) { return page >= gone; });
            for (auto* set : {&f.block_dirty, &f.journal, &f.mapped, &f.allocated}) {
                std::erase_if(*set, [&](long b) { return b * block >= size; });
            }
            for (long o = size; o < kPages * kPage; ++o) {
                put(f.mem, o, 0);
                put(f.expected, o, 0);
                if (o / block * block >= size) { // its block is no longer allocated
                    put(f.disk, o, 0);
                }
            }
        }
        const long b = size / block;
        if (size % block != 0 && f.allocated.contains(b)) {
            for (long o = size; o < (b + 1) * block; ++o) {
                put(f.mem, o, 0);
                put(f.expected, o, 0);
            }
            f.mapped.insert(b);
            f.journal.insert(b);
            f.block_dirty.insert(b);
            f.page_dirty.insert(size / kPage);
        }
    }
    bool evict(int file) {
        File& f = files[static_cast<std::size_t>(file)];
        write_all(f);
        bool all = true;
        for (long page = 0; page < kPages; ++page) {
            bool is_mapped = false;
            for (const auto& pte : f.present) {
                is_mapped = is_mapped || pte.second == page;
            }
            if (is_mapped) {
                all = false;
                continue;
            }
            for (long b = page * per_page(); b < (page + 1) * per_page(); ++b) {
                f.block_dirty.erase(b);
                f.journal.erase(b);
                f.mapped.erase(b);
            }
            for (long o = page * kPage; o < (page + 1) * kPage; ++o) {
                put(f.mem, o, at(f.disk, o));
            }
        }
        return all;
    }
    [[nodiscard]] std::vector<std::pair<long, long>> damage(int file) const {
        const File& f = files[static_cast<std::size_t>(file)];
        std::vector<std::pair<long, long>> ranges;
        for (long o = 0; o < f.size; ++o) {
            if (at(f.disk, o) == at(f.expected, o)) {
                continue;
            }
            if (!ranges.empty() && ranges.back().second == o) {
                ++ranges.back().second;
            } else {
                ranges.emplace_back(o, o + 1);
            }
        }
        return ranges;
    }
};

} // namespace naive
