// What the lines of a schedule's text are made of: words, name=value settings, numbers, contents.
//
// The errors are messages for the person who wrote the line. Pure; any thread.
#pragma once

#include "tools/schedule/op.hpp"

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace mmapstress::text {

/// The first line's words.
inline constexpr std::string_view kMagic = "mmapstress-schedule";
inline constexpr std::string_view kVersion = "1";

using Error = std::unexpected<std::string>;

/// The word in quotes, shortened and made printable, for a message.
std::string in_quotes(std::string_view word);

/// A decimal number of at most `max`.
std::expected<std::uint64_t, std::string> number(std::string_view word, std::uint64_t max);

/// The words of one line, taken from the front.
class Words {
  public:
    explicit Words(std::string_view line) : rest_(line) { skip_blanks(); }

    [[nodiscard]] bool done() const { return rest_.empty(); }
    /// The next word; empty if there is none.
    std::string_view next();

  private:
    void skip_blanks();
    std::string_view rest_;
};

struct Setting {
    std::string_view key;
    std::string_view value;
};

/// A word of the form name=value.
std::expected<Setting, std::string> setting(std::string_view word);

/// Sets a content from fill= or data=. It must still be the pattern.
std::expected<void, std::string> set_content(Content& content, const Setting& item);

} // namespace mmapstress::text
