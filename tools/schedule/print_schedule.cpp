// The text format of a schedule: printing.
#include "tools/schedule/schedule.hpp"
#include "tools/schedule/text_words.hpp"

#include <charconv>

namespace mmapstress {

namespace {

void append_number(std::string& out, std::uint64_t value) {
    std::array<char, 20> digits{};
    const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
    (void)error; // twenty digits hold any 64-bit number
    out.append(digits.data(), end);
}

void append_setting(std::string& out, std::string_view key, std::uint64_t value) {
    out += ' ';
    out += key;
    out += '=';
    append_number(out, value);
}

void append_content(std::string& out, const Content& content) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    if (content.kind == ContentKind::fill) {
        append_setting(out, "fill", std::to_integer<std::uint64_t>(content.fill));
    } else if (content.kind == ContentKind::data) {
        out += " data=";
        for (const std::byte byte : content.data) {
            out += kDigits[std::to_integer<std::size_t>(byte >> 4)];
            out += kDigits[std::to_integer<std::size_t>(byte & std::byte{15})];
        }
    }
}

} // namespace

void print_header(std::string& out, const Header& header) {
    out += text::kMagic;
    out += ' ';
    out += text::kVersion;
    out += "\nseed ";
    append_number(out, header.seed);
    out += '\n';
    if (!header.workload.empty()) {
        out += "workload " + header.workload + '\n';
    }
    if (header.block_size) {
        out += "block ";
        append_number(out, *header.block_size);
        out += '\n';
    }
    if (!header.contract.empty()) {
        out += "contract " + header.contract + '\n';
    }
    if (!header.policy.empty()) {
        out += "policy " + header.policy + '\n';
    }
    if (header.workers() != 1) {
        out += "workers";
        append_setting(out, "threads", header.threads);
        append_setting(out, "processes", header.processes);
        out += '\n';
    }
    out += "commit-by ";
    out += name_of(header.commit_by);
    out += "\nend ";
    out += name_of(header.end);
    out += '\n';
    for (std::size_t i = 0; i < header.files.size(); ++i) {
        const FileSpec& file = header.files[i];
        out += "file ";
        append_number(out, i);
        append_setting(out, "size", file.size.value);
        out += " start=";
        out += name_of(file.start);
        append_content(out, file.content);
        out += '\n';
    }
    for (const Op& op : header.start_writes) {
        print_op(out, op);
    }
}

void print_op(std::string& out, const Op& op) {
    const OpTraits& traits = traits_of(op.kind);
    append_number(out, op.id.value);
    out += ' ';
    out += traits.name;
    if (traits.has_file) {
        append_setting(out, "file", op.file.value);
    }
    if (op.map.value != 0) {
        append_setting(out, "map", op.map.value);
    }
    const bool whole = traits.range_optional && op.offset.value == 0 && op.length.value == 0;
    if (traits.has_offset && !whole) {
        append_setting(out, "off", op.offset.value);
    }
    if (traits.has_length && !whole) {
        append_setting(out, op.kind == OpKind::truncate ? "size" : "len", op.length.value);
    }
    if (traits.has_source) {
        append_setting(out, "source", op.source.value);
    }
    if (traits.has_source && traits.has_offset) {
        append_setting(out, "from", op.from.value);
    }
    if (op.kind == OpKind::pause) {
        append_setting(out, "us", op.pause);
    }
    if (op.by.value != 0) {
        append_setting(out, "by", op.by.value);
    }
    if (op.commits) {
        out += *op.commits ? " commits=yes" : " commits=no";
    }
    append_content(out, op.content);
    out += '\n';
}

std::string print_schedule(const Schedule& schedule) {
    std::string out;
    print_header(out, schedule.header);
    for (const Op& op : schedule.ops) {
        print_op(out, op);
    }
    return out;
}

} // namespace mmapstress
