#include "tools/schedule/leaving_out.hpp"

#include "tools/schedule/op_effect.hpp"

#include <utility>

namespace mmapstress {

namespace {

class LeavingOut final : public OpSource {
  public:
    LeavingOut(std::unique_ptr<OpSource> source, const LeaveOut& what)
        : source_(std::move(source)), what_(what), checker_(source_->header()) {
        for (const Op& op : header().start_writes) {
            checker_.check(op);
        }
    }

    [[nodiscard]] const Header& header() const override { return source_->header(); }

    bool more(std::vector<Op>& out) override {
        batch_.clear();
        if (!source_->more(batch_)) {
            return false;
        }
        for (Op& op : batch_) {
            if (is_wanted(op)) {
                out.push_back(std::move(op));
            }
        }
        return true;
    }

  private:
    bool is_wanted(const Op& op) {
        if (contains(what_.kinds, op.kind)) {
            missing_ = true;
            return false;
        }
        const bool known = traits_of(op.kind).has_file && op.file.value < header().files.size();
        if (known && is_like_unwanted(op, checker_.size(op.file))) {
            missing_ = true;
            return false;
        }
        const bool fits = !checker_.check(op); // if not, check() has changed no size
        return fits || !missing_; // an error of the source itself is reported by others
    }

    /// Whether `op`, of another kind, has an unwanted effect on a file of this size.
    [[nodiscard]] bool is_like_unwanted(const Op& op, ByteCount size) const {
        const OpTraits& traits = traits_of(op.kind);
        const bool sets_size = size_after(op, size) != size || op.kind == OpKind::truncate;
        const bool ends_past_eof =
            traits.has_content && traits.has_map && op.range().end.value > size.value;
        return (what_.size_changes && sets_size) ||
               (contains(what_.kinds, OpKind::past_eof_store) && ends_past_eof);
    }

    std::unique_ptr<OpSource> source_;
    LeaveOut what_;
    OpChecker checker_;
    std::vector<Op> batch_;
    bool missing_ = false; ///< something has been left out
};

} // namespace

OpSourceFactory leaving_out(OpSourceFactory factory, const LeaveOut& what) {
    if (what.nothing()) {
        return factory;
    }
    return [factory = std::move(factory), what]() -> std::unique_ptr<OpSource> {
        return std::make_unique<LeavingOut>(factory(), what);
    };
}

OpSet kinds_in(const Schedule& schedule) {
    OpSet kinds;
    for (const Op& op : schedule.ops) {
        kinds |= only(op.kind);
    }
    return kinds;
}

} // namespace mmapstress
