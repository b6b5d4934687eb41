#include "tools/schedule/text_words.hpp"

#include <algorithm>
#include <charconv>
#include <vector>

namespace mmapstress::text {

namespace {

std::expected<std::vector<std::byte>, std::string> bytes_of_hex(std::string_view hex) {
    if (hex.size() % 2 != 0) {
        return Error("data= has an odd number of digits");
    }
    std::vector<std::byte> bytes;
    bytes.reserve(hex.size() / 2);
    for (std::size_t i = 0; i < hex.size(); i += 2) {
        unsigned value = 0;
        const char* const end = hex.data() + i + 2;
        if (std::from_chars(hex.data() + i, end, value, 16).ptr != end) {
            return Error("not hexadecimal: " + in_quotes(hex.substr(i, 2)));
        }
        bytes.push_back(static_cast<std::byte>(value));
    }
    return bytes;
}

} // namespace

std::string in_quotes(std::string_view word) {
    constexpr std::size_t kShown = 40;
    std::string shown;
    for (const char c : word.substr(0, kShown)) {
        shown += (c >= ' ' && c <= '~') ? c : '?';
    }
    return "'" + shown + (word.size() > kShown ? "...'" : "'");
}

std::expected<std::uint64_t, std::string> number(std::string_view word, std::uint64_t max) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (word.empty() || error == std::errc::invalid_argument || end != word.data() + word.size()) {
        return Error("not a number: " + in_quotes(word));
    }
    if (error != std::errc{} || value > max) {
        return Error("the number is too large: " + in_quotes(word) + " (at most " +
                     std::to_string(max) + ")");
    }
    return value;
}

std::string_view Words::next() {
    const std::string_view word = rest_.substr(0, rest_.find_first_of(" \t"));
    rest_.remove_prefix(word.size());
    skip_blanks();
    return word;
}

void Words::skip_blanks() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t"), rest_.size()));
}

std::expected<Setting, std::string> setting(std::string_view word) {
    const std::size_t equals = word.find('=');
    if (equals == std::string_view::npos) {
        return Error("not of the form name=value: " + in_quotes(word));
    }
    return Setting{word.substr(0, equals), word.substr(equals + 1)};
}

std::expected<void, std::string> set_content(Content& content, const Setting& item) {
    if (content.kind != ContentKind::pattern) {
        return Error("content given twice");
    }
    if (item.key == "fill") {
        const auto value = number(item.value, 255);
        if (!value) {
            return Error(value.error());
        }
        content.kind = ContentKind::fill;
        content.fill = static_cast<std::byte>(*value);
        return {};
    }
    auto data = bytes_of_hex(item.value);
    if (!data) {
        return Error(data.error());
    }
    content.kind = ContentKind::data;
    content.data = std::move(*data);
    return {};
}

} // namespace mmapstress::text
