// The result of a run in the formats of other tools: KTAP (the kernel's own) and JUnit (CI
// servers).
//
// Pure: no I/O.
#pragma once

#include "tools/mmapstress/result/run_result.hpp"
#include "tools/mmapstress/workloads/workload.hpp"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace mmapstress {

struct TestCase {
    enum class State : std::uint8_t {
        passed,
        failed,  ///< damage
        error,   ///< could not tell
        skipped, ///< not asked for, or not possible here
    };
    std::string name;
    State state = State::passed;
    std::string message;              ///< one line: why the test has not passed
    std::vector<std::string> details; ///< one line each
    double seconds = 0;

    bool operator==(const TestCase&) const = default;
};

struct TestSuite {
    std::string name;
    std::uint64_t seed = 0;
    /// Facts about the run, beside the tests: names and values.
    std::vector<std::pair<std::string, std::string>> properties;
    std::vector<TestCase> tests;
    bool passed = true; ///< the verdict is clean
};

/// A run as test cases: the operations, each stage of the verification, the workload's own checker.
/// Unless the verdict is clean, at least one case has not passed. The details list at most
/// `max_ranges` damaged ranges of a stage, and the number of the others.
TestSuite suite_of(const RunResult& result, std::size_t max_ranges);

/// KTAP version 1 (Documentation/dev-tools/ktap.rst).
std::string ktap(const TestSuite& suite);

/// JUnit XML: one test suite.
std::string junit(const TestSuite& suite);

} // namespace mmapstress
