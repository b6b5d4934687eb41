#include "tests/mounted/differential/executor.hpp"

namespace partialfs::differential {
namespace {

/// The rows in order: both set, only the modification time, only the access time, now, both set.
constexpr unsigned kRows = 5;

timespec set_time(unsigned value) {
    return {1'000'000'000 + value * 1000L, 123'456'000L + value};
}

} // namespace

TimesToSet times_to_set(unsigned value) {
    const timespec leave{0, UTIME_OMIT};
    const timespec now{0, UTIME_NOW};
    switch (value % kRows) {
    case 1:
        return {{leave, set_time(value)}};
    case 2:
        return {{set_time(value), leave}};
    case 3:
        return {{now, now}};
    default:
        return {{set_time(value + 1), set_time(value)}};
    }
}

void execute(World& world, const Operation& operation) {
    if (operation.kind < Kind::map) {
        execute_on_handle(world, operation);
    } else if (operation.kind <= Kind::calm) {
        execute_on_mapping(world, operation);
    } else if (operation.kind != Kind::check_all) {
        execute_on_name(world, operation);
    } else {
        for (unsigned name = 0; name < kNames; ++name) {
            execute_on_name(world, {.kind = Kind::stat, .target = name});
            execute_on_name(world, {.kind = Kind::contents, .target = name});
            execute_on_name(world, {.kind = Kind::list, .target = name});
        }
    }
}

} // namespace partialfs::differential
