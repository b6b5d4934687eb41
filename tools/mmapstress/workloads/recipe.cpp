// The deterministic recipe, over many pages.
#include "tools/mmapstress/workloads/built_source.hpp"

#include <algorithm>

namespace mmapstress {

namespace {

constexpr ByteCount kDefaultSize{1U << 20U};
constexpr std::uint32_t kDefaultFiles = 1;
constexpr std::uint64_t kPagesAtOnce = 16;

/// For a few pages at a time: write the page; store A through the mapping; commit; store B; fsync.
/// On a kernel with the bug every B is lost.
class RecipeSource final : public OpSource {
  public:
    RecipeSource(const WorkloadSettings& settings, Header header)
        : header_(std::move(header)), dice_(settings.seed), ops_(settings.ops) {}

    [[nodiscard]] const Header& header() const override { return header_; }

    bool more(std::vector<Op>& out) override {
        if (ops_ && build_.count() >= *ops_) {
            return false;
        }
        if (at_.value >= header_.files[file_.value].size.value) {
            at_ = ByteOffset{0};
            file_.value = (file_.value + 1) % static_cast<std::uint32_t>(header_.files.size());
            if (file_.value == 0 && !ops_) {
                return false;
            }
        }
        const ByteOffset end{
            std::min(at_.value + kPagesAtOnce * kPageSize, header_.files[file_.value].size.value)};
        build_.set_worker(WorkerIndex{static_cast<std::uint16_t>(turn_++ % header_.workers())});
        each_page(end, [&](ByteRange page) { build_.content(out, OpKind::write, file_, page); });
        each_page(end, [&](ByteRange page) { store_part(out, page); });
        build_.plain(out, OpKind::commit);
        each_page(end, [&](ByteRange page) { store_part(out, page); });
        build_.whole(out, OpKind::fsync, file_);
        at_ = end;
        return true;
    }

  private:
    template <typename Visit>
    void each_page(ByteOffset end, Visit visit) const {
        for (ByteRange page{at_, at_}; page.begin < end; page.begin = page.end) {
            page.end = std::min(page.begin + ByteCount{kPageSize}, end);
            visit(page);
        }
    }

    /// Stores into a part of the page that begins and ends anywhere.
    void store_part(std::vector<Op>& out, ByteRange page) {
        const std::uint64_t size = page.size().value;
        const std::uint64_t begin = dice_.below(size);
        const std::uint64_t length = 1 + dice_.below(size - begin);
        const ByteOffset from = page.begin + ByteCount{begin};
        build_.content(out, OpKind::store, file_, {from, from + ByteCount{length}});
    }

    Header header_;
    Dice dice_;
    std::optional<std::uint64_t> ops_;
    OpBuilder build_{header_};
    FileIndex file_;
    ByteOffset at_;
    std::uint64_t turn_ = 0;
};

} // namespace

std::expected<std::unique_ptr<OpSource>, std::string>
make_recipe(const WorkloadSettings& settings) {
    return make_source<RecipeSource>(settings,
                                     header_for(settings, "recipe", kDefaultSize, kDefaultFiles));
}

} // namespace mmapstress
