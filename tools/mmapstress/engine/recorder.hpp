// Writes a schedule to a file, and keeps it in memory, while it is carried out.
#pragma once

#include "tools/mmapstress/system/failure.hpp"
#include "tools/schedule/schedule.hpp"

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

namespace mmapstress {

/// Keeps the text in memory up to a number of operations, and writes it to a file if there is one.
/// Not thread-safe.
class Recorder {
  public:
    /// `path` empty: no file. The text is kept in memory if it has at most `keep` operations.
    static Outcome<Recorder> open(const std::string& path, std::uint64_t keep);

    void header(const Header& header);
    void op(const Op& op);
    /// Closes the file. Fails if anything could not be written.
    Outcome<> finish();
    /// The text; empty if it became too long.
    [[nodiscard]] std::string take() { return std::move(kept_); }

  private:
    struct Close {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };
    void write(const std::string& text);

    std::string path_;
    std::unique_ptr<std::FILE, Close> file_;
    std::uint64_t keep_ = 0;
    std::uint64_t ops_ = 0;
    std::string kept_;
    std::string line_;
    int error_ = 0; ///< errno of the first write that failed
};

} // namespace mmapstress
