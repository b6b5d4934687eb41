#include "tests/mounted/differential/case.hpp"

#include "tests/mounted/differential/executor.hpp"

#include <unistd.h>

#include <cstring>

namespace partialfs::differential {
namespace {

namespace fs = std::filesystem;

fs::path fresh_directory(const fs::path& directory) {
    fs::remove_all(directory);
    fs::create_directory(directory);
    return directory;
}

/// Sets the times of all names except each third, to check that earlier stores do not change them
/// later. A third name whose times stores may still move gets set times, too.
void set_final_times(World& world) {
    constexpr unsigned kBothTimes = 20; // a multiple of kRows: selects the row that sets both
    for (unsigned name = 0; name < kNames; ++name) {
        const bool may_move =
            world.times().may_move(identity_of(world.path(Side::plain, name), false));
        if (name % 3 != 2 || may_move) {
            const unsigned value = name * (may_move ? kBothTimes : kNames) + 4;
            execute(world, {.kind = Kind::utimens, .target = name, .value = value});
        }
    }
}

/// Returns once the mount has written everything to its source directory.
void commit(const Places& places) {
    const base::Fd control(::open((places.mount / ".partialfs/commit").c_str(), O_WRONLY));
    if (!control || ::write(control.get(), "1", 1) != 1) {
        throw Difference(std::string("the commit failed: ") + std::strerror(errno));
    }
}

} // namespace

std::optional<Found> run_case(const Places& places, const std::string& name,
                              std::span<const Operation> operations, const Checks& checks,
                              std::atomic<std::size_t>& done) {
    std::size_t current = 0;
    try {
        const Both<fs::path> base{fresh_directory(places.mount / name),
                                  fresh_directory(places.plain / name)};
        {
            World world(base, checks);
            for (; current < operations.size(); ++current, ++done) {
                execute(world, operations[current]);
            }
            world.calm();
            execute(world, {.kind = Kind::check_all});
            set_final_times(world);
        }
        if (checks.has(Check::source)) {
            commit(places);
            compare_trees(places.source / name, base.plain, checks);
        }
    } catch (const Difference& difference) {
        return Found{current, difference.what()};
    }
    ++done;
    return std::nullopt;
}

} // namespace partialfs::differential
