// The base of the sources that make their operations with random numbers.
#pragma once

#include "fusefs/base/try.hpp"
#include "tools/mmapstress/workloads/dice.hpp"
#include "tools/mmapstress/workloads/op_builder.hpp"
#include "tools/mmapstress/workloads/sources.hpp"

#include <algorithm>
#include <expected>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace mmapstress {

/// Makes a number of operations, one round at a time. The same seed gives the same operations.
class BuiltSource : public OpSource {
  public:
    [[nodiscard]] const Header& header() const final { return header_; }

    bool more(std::vector<Op>& out) final {
        if (build_.count() >= ops_) {
            return false;
        }
        const std::uint64_t end = std::min(ops_, build_.count() + kOpsAtOnce);
        while (build_.count() < end) {
            round(out);
        }
        return true;
    }

  protected:
    BuiltSource(Header header, Dice dice, std::uint64_t ops)
        : header_(std::move(header)), dice_(dice), ops_(ops) {}

    /// Appends at least one operation.
    virtual void round(std::vector<Op>& out) = 0;

    /// One of the files.
    FileIndex some_file() {
        return FileIndex{static_cast<std::uint32_t>(dice_.below(header_.files.size()))};
    }
    [[nodiscard]] std::uint64_t pages_of(FileIndex file) const {
        return (header_.files[file.value].size.value + kPageSize - 1) / kPageSize;
    }

    Header header_;
    Dice dice_;
    std::uint64_t ops_;
    OpBuilder build_{header_};

  private:
    static constexpr std::uint64_t kOpsAtOnce = 64;
};

/// A Source(settings, header), or why there is no header.
template <typename Source>
std::expected<std::unique_ptr<OpSource>, std::string>
make_source(const WorkloadSettings& settings, std::expected<Header, std::string> header) {
    return std::make_unique<Source>(settings, TRY(std::move(header)));
}

} // namespace mmapstress
