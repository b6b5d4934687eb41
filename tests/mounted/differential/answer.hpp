// Answers of the two sides, and how a difference is reported.
#pragma once

#include "tests/mounted/differential/side.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace partialfs::differential {

/// What is compared. Each check can be left out by name, for a filesystem that is known to fail it.
enum class Check { answers, sizes, bytes, data_found, blocks, times, stamps, inodes, source };
[[nodiscard]] std::string_view name_of(Check check);
/// Throws std::runtime_error if no check has the name.
[[nodiscard]] Check check_from(std::string_view name);

/// The sides differ; what() describes how.
class Difference : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// The result of a system call.
struct Answer {
    long result = 0;
    int error = 0; ///< errno, if the result is negative

    friend bool operator==(const Answer&, const Answer&) = default;
};
[[nodiscard]] std::string text_of(const Answer& answer);

/// Calls `call` for each side.
template <typename Call>
Both<Answer> answers_of(const Call& call) {
    return for_both([&](Side side) {
        errno = 0;
        const long result = call(side);
        return Answer{result, result < 0 ? errno : 0};
    });
}

class Checks {
  public:
    void leave_out(Check check) { left_out_.insert(check); }
    [[nodiscard]] bool has(Check check) const { return !left_out_.contains(check); }

    /// Throws Difference unless the answers are equal. Returns whether the call succeeded on both
    /// sides.
    [[nodiscard]] bool same(std::string_view what, const Both<Answer>& answers) const;
    /// Throws Difference unless the texts are equal.
    void same_text(std::string_view what, const Both<std::string>& texts) const;
    /// Throws Difference unless the bytes are equal outside of [masked_begin, masked_end).
    /// `offset`: their position in the file.
    void same_bytes(std::string_view what, std::int64_t offset,
                    const Both<std::vector<char>>& bytes, std::int64_t masked_begin,
                    std::int64_t masked_end) const;
    void require(Check check, bool holds, const std::string& otherwise) const {
        if (!holds && has(check)) {
            throw Difference(std::string(name_of(check)) + ": " + otherwise);
        }
    }

  private:
    std::set<Check> left_out_;
};

/// `length` bytes that depend on `seed` and on their position; none is zero, so that a hole in
/// their place is noticed.
[[nodiscard]] std::vector<char> pattern(unsigned seed, std::int64_t offset, std::int64_t length);

} // namespace partialfs::differential
