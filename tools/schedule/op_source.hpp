// Where operations come from: a schedule in memory, or a workload that makes them one by one.
//
// Sources are deterministic: two made with the same settings give the same operations. Each process
// of a run walks through a source of its own, and damage is explained by walking through one once
// more, so a schedule never needs to be in memory as a whole.
#pragma once

#include "tools/schedule/schedule.hpp"

#include <functional>
#include <memory>
#include <vector>

namespace mmapstress {

/// Not thread-safe: one walker each.
class OpSource {
  public:
    OpSource() = default;
    OpSource(const OpSource&) = delete;
    OpSource& operator=(const OpSource&) = delete;
    OpSource(OpSource&&) = delete;
    OpSource& operator=(OpSource&&) = delete;
    virtual ~OpSource() = default;

    [[nodiscard]] virtual const Header& header() const = 0;
    /// Appends some of the following operations to `out`; false, with nothing appended, at the end.
    virtual bool more(std::vector<Op>& out) = 0;
};

/// Makes sources that give the same operations each time.
using OpSourceFactory = std::function<std::unique_ptr<OpSource>()>;

/// The operations of a schedule, which must outlive the source.
class ScheduleSource final : public OpSource {
  public:
    explicit ScheduleSource(const Schedule& schedule) : schedule_(schedule) {}
    [[nodiscard]] const Header& header() const override { return schedule_.header; }
    bool more(std::vector<Op>& out) override;

  private:
    const Schedule& schedule_;
    std::size_t next_ = 0;
};

/// A factory of sources over `schedule`, which must outlive them.
OpSourceFactory source_of(const Schedule& schedule);

/// All operations of a source at once. For small schedules.
Schedule schedule_of(OpSource& source);

} // namespace mmapstress
