#include "tools/mmapstress/engine/crew.hpp"

#include "tools/mmapstress/engine/crew_parallel.hpp"

namespace mmapstress {

namespace {

/// One worker: the thread that gives the orders does the work.
class Alone final : public Crew {
  public:
    explicit Alone(const Setting& setting) : executor_(setting.work) {}

    Outcome<> execute(const Op& op, OpId& failed) override {
        failed = op.id;
        auto done = executor_.execute(op);
        if (done) {
            reached_ = op.id;
        }
        return done;
    }
    [[nodiscard]] OpId reached() const override { return reached_; }
    Outcome<> finish(OpId& /*failed*/) override { return {}; }
    Outcome<> end(FileIndex file, End how) override { return executor_.end(file, how); }
    Outcome<> drop_cache(FileIndex file) override { return executor_.drop_cache(file); }

  private:
    Executor executor_;
    OpId reached_;
};

} // namespace

Outcome<std::unique_ptr<Crew>> Crew::assemble(Setting setting) {
    if (setting.work.header.workers() == 1) {
        return std::make_unique<Alone>(setting);
    }
    return assemble_parallel(std::move(setting));
}

} // namespace mmapstress
