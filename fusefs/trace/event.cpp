#include "fusefs/trace/event.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <iterator>

namespace partialfs::trace {

namespace {

std::string mask_text(model::BlockMask mask, model::BlockSize block_size) {
    std::string text;
    for (std::uint8_t i = 0; i < block_size.per_page(); ++i) {
        text += mask.contains(model::BlockInPage{i}) ? '1' : '0';
    }
    return text;
}

} // namespace

std::string to_json(const Event& event, std::string_view path, model::BlockSize block_size) {
    std::string line;
    auto out = std::back_inserter(line);
    fmt::format_to(out, R"({{"t":{},"seq":{},"event":"{}")", event.time.value, event.sequence,
                   name_of(event.kind));
    if (event.inode.value != 0) {
        fmt::format_to(out, R"(,"inode":{})", event.inode.value);
    }
    if (!path.empty()) {
        const auto quoted =
            nlohmann::json(path).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
        fmt::format_to(out, R"(,"path":{})", quoted);
    }
    switch (event.kind) {
    case Kind::explicit_write:
    case Kind::page_read:
    case Kind::punch:
    case Kind::cut_took:
        fmt::format_to(out, R"(,"offset":{},"length":{})", event.page_or_offset, event.length);
        break;
    case Kind::lost:
        fmt::format_to(out, R"(,"page":{},"offset":{},"length":{},"commit":{})",
                       event.page_or_offset / model::kPageSize, event.page_or_offset, event.length,
                       event.commit.value);
        if (event.error != 0) {
            fmt::format_to(out, R"(,"errno":{})", event.error);
        }
        break;
    case Kind::truncate:
        fmt::format_to(out, R"(,"offset":{})", event.page_or_offset);
        break;
    case Kind::page_dirty:
        fmt::format_to(out, R"(,"page":{},"blocks":"{}")", event.page_or_offset,
                       mask_text(block_size.all(), block_size));
        break;
    case Kind::ordered_flush:
        fmt::format_to(out, R"(,"page":{},"blocks":"{}","commit":{})", event.page_or_offset,
                       mask_text(event.written, block_size), event.commit.value);
        break;
    case Kind::writepage:
        fmt::format_to(out, R"(,"page":{},"blocks":"{}","written":"{}","skipped":"{}")",
                       event.page_or_offset, mask_text(event.written, block_size),
                       mask_text(event.written, block_size), mask_text(event.skipped, block_size));
        break;
    case Kind::unverified:
        fmt::format_to(out, R"(,"page":{},"skipped":"{}","errno":{})", event.page_or_offset,
                       mask_text(event.skipped, block_size), event.error);
        break;
    case Kind::commit_begin:
    case Kind::commit:
    case Kind::fsync:
        fmt::format_to(out, R"(,"commit":{})", event.commit.value);
        break;
    case Kind::write_error:
        fmt::format_to(out, R"(,"errno":{})", event.error);
        break;
    case Kind::fault:
        fmt::format_to(out, R"(,"operation":"{}","action":"{}","rule":{})",
                       name_of(event.operation), name_of(event.action), event.rule);
        if (event.error != 0) {
            fmt::format_to(out, R"(,"errno":{})", event.error);
        }
        if (event.length != 0) {
            fmt::format_to(out, R"(,"offset":{},"length":{})", event.page_or_offset, event.length);
        }
        if (event.action == faults::Action::torn || event.action == faults::Action::short_count) {
            fmt::format_to(out, R"(,"amount":{})", event.amount);
        }
        break;
    case Kind::cut_resized:
        fmt::format_to(out, R"(,"size_was":{},"size_is":{})", event.page_or_offset, event.length);
        break;
    case Kind::power_cut:
    case Kind::power_on:
    case Kind::undo_full:
    case Kind::evict:
    case Kind::rename_flush:
    case Kind::unlink:
        break;
    }
    line += '}';
    return line;
}

} // namespace partialfs::trace
