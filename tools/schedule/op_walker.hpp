// Walks through a source of operations one by one, checked, each append with its offset.
#pragma once

#include "tools/schedule/op_source.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mmapstress {

/// Not thread-safe.
class OpWalker {
  public:
    explicit OpWalker(std::unique_ptr<OpSource> source);

    [[nodiscard]] const Header& header() const { return source_->header(); }
    /// The next operation, valid until the next call; nullptr at the end, or if it cannot be
    /// carried out: then error() says why.
    const Op* next();
    [[nodiscard]] const std::optional<std::string>& error() const { return error_; }
    /// A file's size after the operations so far.
    [[nodiscard]] ByteCount size(FileIndex file) const { return checker_.size(file); }

  private:
    std::unique_ptr<OpSource> source_;
    OpChecker checker_;
    std::vector<Op> batch_;
    std::size_t at_ = 0;
    std::optional<std::string> error_;
};

} // namespace mmapstress
