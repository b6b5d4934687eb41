// The result of a run in the formats of other tools: KTAP (the kernel's own) and JUnit (CI
// servers).
//
// Pure: no I/O.
#pragma once

#include "tools/mmapstress/result/run_result.hpp"
#include "tools/mmapstress/workloads/workload.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace mmapstress {

/// A run as test cases: the operations, each stage of the verification, the workload's own checker.
struct TestCase {
    enum class State : std::uint8_t {
        passed,
        failed,  ///< damage
        error,   ///< could not tell
        skipped, ///< not asked for, or not possible here
    };
    std::string name;
    State state = State::passed;
    std::string message;              ///< one line: why, where it has not passed
    std::vector<std::string> details; ///< one line each
    double seconds = 0;

    bool operator==(const TestCase&) const = default;
};

/// At least one case has not passed unless the verdict is clean. Of the damaged ranges of a stage
/// at most `max_ranges` are told in the details, and how many more there are.
std::vector<TestCase> test_cases(const RunResult& result, std::size_t max_ranges);

/// KTAP version 1 (Documentation/dev-tools/ktap.rst).
std::string ktap(const RunResult& result, std::size_t max_ranges);

/// JUnit XML: one test suite.
std::string junit(const RunResult& result, std::size_t max_ranges);

} // namespace mmapstress
