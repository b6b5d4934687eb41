#include "tests/mounted/differential/generator.hpp"

#include <array>
#include <random>

namespace partialfs::differential {
namespace {

struct Weight {
    Kind kind;
    unsigned weight;
};
constexpr std::array kWeights{Weight{Kind::open, 40},
                              Weight{Kind::close, 15},
                              Weight{Kind::pwrite, 50},
                              Weight{Kind::write, 50},
                              Weight{Kind::pread, 30},
                              Weight{Kind::read, 10},
                              Weight{Kind::ftruncate, 16},
                              Weight{Kind::allocate, 6},
                              Weight{Kind::punch_hole, 8},
                              Weight{Kind::zero_range, 5},
                              Weight{Kind::copy_range, 25},
                              Weight{Kind::evict, 12},
                              Weight{Kind::find_data, 10},
                              Weight{Kind::fsync, 8},
                              Weight{Kind::fdatasync, 5},
                              Weight{Kind::sync_range, 4},
                              Weight{Kind::futimens, 10},
                              Weight{Kind::fchmod, 4},
                              Weight{Kind::map, 25},
                              Weight{Kind::unmap, 10},
                              Weight{Kind::store, 60},
                              Weight{Kind::load, 30},
                              Weight{Kind::child_store, 3},
                              Weight{Kind::msync, 8},
                              Weight{Kind::drop_pages, 5},
                              Weight{Kind::storm, 12},
                              Weight{Kind::calm, 4},
                              Weight{Kind::create, 25},
                              Weight{Kind::truncate, 6},
                              Weight{Kind::stat, 15},
                              Weight{Kind::utimens, 12},
                              Weight{Kind::chmod, 4},
                              Weight{Kind::chown, 3},
                              Weight{Kind::set_attribute, 8},
                              Weight{Kind::get_attribute, 6},
                              Weight{Kind::remove_attribute, 4},
                              Weight{Kind::list_attributes, 4},
                              Weight{Kind::mkdir, 8},
                              Weight{Kind::rmdir, 4},
                              Weight{Kind::rename, 12},
                              Weight{Kind::link, 8},
                              Weight{Kind::symlink, 3},
                              Weight{Kind::read_link, 2},
                              Weight{Kind::unlink, 10},
                              Weight{Kind::make_fifo, 1},
                              Weight{Kind::list, 8},
                              Weight{Kind::contents, 8},
                              Weight{Kind::check_all, 3}};

/// Weight of a theme's kinds, if a case has a theme.
constexpr std::size_t kThemeWeight = 80;
using Theme = std::array<Kind, 6>;
constexpr std::array kThemes{
    // Copies next to bytes that a mapping stores.
    Theme{Kind::pwrite, Kind::storm, Kind::copy_range, Kind::copy_range, Kind::copy_range,
          Kind::contents},
    // Files that grow while others ask for their size.
    Theme{Kind::write, Kind::write, Kind::ftruncate, Kind::store, Kind::load, Kind::stat},
    // Sparse files, copied by a program that looks for their data.
    Theme{Kind::ftruncate, Kind::store, Kind::find_data, Kind::punch_hole, Kind::evict,
          Kind::pread},
    // Times.
    Theme{Kind::create, Kind::utimens, Kind::futimens, Kind::stat, Kind::store, Kind::close},
    // Names.
    Theme{Kind::rename, Kind::link, Kind::unlink, Kind::mkdir, Kind::list, Kind::write}};

class Dice {
  public:
    explicit Dice(std::uint64_t seed) : random_(seed) {}
    /// Below `limit`.
    std::int64_t below(std::int64_t limit) {
        return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(limit));
    }
    unsigned number(unsigned limit) { return static_cast<unsigned>(below(limit)); }
    bool one_in(unsigned chances) { return number(chances) == 0; }

  private:
    std::mt19937_64 random_;
};

/// Mostly within the first pages, where operations meet; sometimes at page boundaries; seldom far
/// out.
std::int64_t offset_of(Dice& dice) {
    std::int64_t limit = 64 << 10;
    if (dice.one_in(5)) {
        limit = 1 << 20;
    } else if (dice.one_in(3)) {
        limit = 8 << 10;
    }
    const std::int64_t offset = dice.below(limit);
    return dice.one_in(3) ? offset & ~std::int64_t{4095} : offset;
}

std::int64_t length_of(Dice& dice, Kind kind) {
    if (kind == Kind::copy_range && dice.one_in(3)) {
        return 600 << 10;
    }
    if (dice.one_in(12)) {
        return 1 + dice.below(1 << 20);
    }
    return 1 + dice.below(dice.one_in(2) ? 200 : 16 << 10);
}

/// Name i, handle i and mapping i mostly belong to the same file. Work focuses on one file for a
/// while, so that operations meet.
class Focus {
  public:
    explicit Focus(Dice& dice) : dice_(dice) {}
    void move_on() {
        if (dice_.one_in(20)) {
            at_ = dice_.number(kFileNames);
        }
    }
    /// One of `limit` things: the one in focus, or a random one.
    unsigned pick(unsigned limit) { return dice_.one_in(3) ? dice_.number(limit) : at_ % limit; }
    unsigned name() { return dice_.one_in(8) ? dice_.number(kNames) : pick(kFileNames); }

  private:
    Dice& dice_;
    unsigned at_ = 0;
};

bool is_of_directories(Kind kind) {
    return kind == Kind::mkdir || kind == Kind::rmdir || kind == Kind::list;
}

bool is_of_mappings(Kind kind) {
    return kind >= Kind::map && kind <= Kind::calm;
}

Operation random_operation(Dice& dice, Focus& focus, Kind kind) {
    Operation operation{.kind = kind,
                        .offset = offset_of(dice),
                        .length = length_of(dice, kind),
                        .value = dice.number(250)};
    if (is_of_mappings(kind)) {
        operation.target = focus.pick(kMappings);
        operation.other = dice.one_in(4) ? dice.number(kHandles) : operation.target;
    } else if (kind == Kind::open) {
        operation.target = focus.pick(kHandles);
        operation.other = dice.one_in(4) ? focus.name() : operation.target;
    } else if (kind < Kind::map) {
        operation.target = focus.pick(kHandles);
        operation.other = dice.number(kHandles);
    } else if (is_of_directories(kind)) {
        operation.target = kFileNames + dice.number(kNames - kFileNames);
    } else {
        operation.target = focus.name();
        operation.other = focus.name();
    }
    return operation;
}

/// The kinds of operations of one case, each repeated by its weight. Each case leaves some kinds
/// out, so that the others meet more often.
std::vector<Kind> kinds_of_case(Dice& dice, const std::set<Kind>& left_out) {
    std::vector<Kind> kinds;
    for (const auto& [kind, weight] : kWeights) {
        const bool chosen = kind == Kind::open || kind == Kind::map || !dice.one_in(3);
        if (chosen && !left_out.contains(kind)) {
            kinds.insert(kinds.end(), weight, kind);
        }
    }
    if (dice.one_in(2)) {
        for (const Kind kind : kThemes.at(dice.number(kThemes.size()))) {
            if (!left_out.contains(kind)) {
                kinds.insert(kinds.end(), kThemeWeight, kind);
            }
        }
    }
    return kinds;
}

} // namespace

std::vector<Operation> generate(std::uint64_t seed, std::size_t count,
                                const std::set<Kind>& left_out) {
    Dice dice(seed);
    Focus focus(dice);
    const std::vector<Kind> kinds = kinds_of_case(dice, left_out);
    std::vector<Operation> operations;
    while (!kinds.empty() && operations.size() < count) {
        focus.move_on();
        const Kind kind = kinds[static_cast<std::size_t>(dice.below(std::ssize(kinds)))];
        operations.push_back(random_operation(dice, focus, kind));
    }
    return operations;
}

} // namespace partialfs::differential
