#include "tools/mmapstress/report/formats.hpp"

#include "fusefs/base/xml.hpp"
#include "tools/mmapstress/result/known_faults.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace mmapstress {
namespace {

using State = TestCase::State;

std::string decimal(double seconds) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.3f", seconds);
    return text.data();
}

std::string one_line(std::string text) {
    std::ranges::replace(text, '\n', ' ');
    return text;
}

std::string told(const RunResult& result, const DamagedRange& damage) {
    const auto lost = result.named_ops.find(damage.lost);
    std::string text = "file " + std::to_string(damage.file.value) + " offset " +
                       std::to_string(damage.range.begin.value) + " length " +
                       std::to_string(damage.range.size().value) + " " +
                       std::string(name_of(damage.kind));
    if (damage.kind == DamageKind::stale) {
        text += damage.origin.value == 0 ? " from the file's start"
                                         : " from operation " + std::to_string(damage.origin.value);
    }
    const bool by_kernel = lost != result.named_ops.end() && is_stored_by_kernel(lost->second);
    return text + (by_kernel ? ", returned by the kernel, then gone" : "") + ", lost: " +
           (lost != result.named_ops.end() ? lost->second
            : damage.lost.value == 0       ? "the file's start"
                                           : "operation " + std::to_string(damage.lost.value));
}

TestCase operations_case(const RunResult& result) {
    TestCase test{"operations",
                  State::passed,
                  {},
                  {},
                  result.totals.rounds > 1 ? result.totals.seconds : result.seconds};
    for (const Problem& problem : result.problems) {
        test.state = State::error;
        test.details.push_back((problem.op.value == 0
                                    ? std::string()
                                    : "operation " + std::to_string(problem.op.value) + ": ") +
                               problem.message);
    }
    if (test.state == State::error) {
        test.message = test.details.front();
    } else if (result.ops == 0) {
        test.state = State::error;
        test.message = "no operation was carried out";
    }
    return test;
}

TestCase stage_case(const RunResult& result, Stage stage, std::size_t max_ranges) {
    const StageResult& outcome = result.stages[static_cast<std::size_t>(stage)];
    const Totals::OfStage& of_all = result.totals.stages[static_cast<std::size_t>(stage)];
    TestCase test{std::string(name_of(stage)),
                  State::passed,
                  outcome.reason,
                  {},
                  result.totals.rounds > 1 ? of_all.seconds : outcome.seconds};
    if (outcome.state == StageResult::State::skipped) {
        test.state = State::skipped;
    } else if (outcome.wrong > 0 || outcome.ranges > 0) {
        test.state = State::failed;
        test.message = std::to_string(outcome.wrong) + " of " + std::to_string(outcome.bytes) +
                       " bytes wrong, in " + std::to_string(outcome.ranges) + " ranges";
    } else if (outcome.state == StageResult::State::failed) {
        test.state = State::error;
    }
    std::size_t told_ranges = 0;
    for (const DamagedRange& damage : result.damage) {
        if (!damage.in(stage)) {
            continue;
        }
        if (++told_ranges > max_ranges) {
            continue;
        }
        test.details.push_back(told(result, damage));
    }
    if (told_ranges > max_ranges) {
        test.details.push_back("and " + std::to_string(told_ranges - max_ranges) + " more ranges");
    }
    return test;
}

std::string suite_name(const RunResult& result) {
    const std::string name =
        result.totals.rounds > 1 ? result.totals.workload() : result.header.workload;
    return "mmapstress" + (name.empty() ? "" : "." + name);
}

void append_details(std::string& out, const TestCase& test) {
    for (const std::string& detail : test.details) {
        out += partialfs::base::escaped(detail) + '\n';
    }
}

void append_case(std::string& out, const std::string& suite, const TestCase& test) {
    out += "    <testcase classname=\"" + partialfs::base::escaped(suite) + "\" name=\"" +
           partialfs::base::escaped(test.name) + "\" time=\"" + decimal(test.seconds) + "\"";
    if (test.state == State::passed) {
        out += "/>\n";
        return;
    }
    const std::string message =
        " message=\"" + partialfs::base::escaped(one_line(test.message)) + "\"";
    out += ">\n";
    if (test.state == State::skipped) {
        out += "      <skipped" + message + "/>\n";
    } else {
        const std::string tag = test.state == State::failed ? "failure" : "error";
        out += "      <" + tag + message + ">";
        append_details(out, test);
        out += "</" + tag + ">\n";
    }
    out += "    </testcase>\n";
}

std::vector<TestCase> test_cases(const RunResult& result, std::size_t max_ranges) {
    std::vector<TestCase> tests{operations_case(result)};
    for (std::size_t stage = 0; stage < kStages; ++stage) {
        tests.push_back(stage_case(result, static_cast<Stage>(stage), max_ranges));
    }
    if (!result.judgement.empty()) {
        TestCase test{"checker", State::failed, result.judgement.front(), {}, 0};
        const std::size_t shown = std::min(max_ranges, result.judgement.size());
        test.details.assign(result.judgement.begin(),
                            result.judgement.begin() + static_cast<std::ptrdiff_t>(shown));
        if (shown < result.judgement.size()) {
            test.details.push_back("and " + std::to_string(result.judgement.size() - shown) +
                                   " more");
        }
        tests.push_back(std::move(test));
    }
    const auto good = [](const TestCase& test) {
        return test.state == State::passed || test.state == State::skipped;
    };
    if (result.verdict() != Verdict::clean && std::ranges::all_of(tests, good)) {
        tests.push_back(
            {"verdict",
             State::error,
             "nothing could really be checked: " + std::string(name_of(result.verdict())),
             {},
             0});
    }
    return tests;
}

/// Facts about a run, beside its tests: names and values.
std::vector<std::pair<std::string, std::string>> properties_of(const RunResult& result) {
    std::vector<std::pair<std::string, std::string>> all{
        {"seed", std::to_string(result.header.seed)},
        {"kernel", result.kernel},
        {"filesystem", result.filesystem}};
    const Totals& totals = result.totals;
    if (totals.rounds > 1) {
        all.emplace_back("rounds", std::to_string(totals.rounds));
        all.emplace_back("operations", std::to_string(totals.ops));
        all.emplace_back("bytes-compared-after-eviction",
                         std::to_string(totals.bytes_after_eviction()));
    }
    for (const LeftOut& one : result.left_out) {
        all.emplace_back("left-out", one.operation + ": " + one.reason);
    }
    for (const KnownFault& fault : known_faults(result)) {
        all.emplace_back("known-fault", std::string(fault.name) + ": " + fault.text);
    }
    return all;
}

} // namespace

TestSuite suite_of(const RunResult& result, std::size_t max_ranges) {
    return {suite_name(result), result.header.seed, properties_of(result),
            test_cases(result, max_ranges), result.verdict() == Verdict::clean};
}

std::string ktap(const TestSuite& suite) {
    const std::vector<TestCase>& tests = suite.tests;
    std::string out = "KTAP version 1\n1..1\n  KTAP version 1\n  # Subtest: " + suite.name +
                      "\n  1.." + std::to_string(tests.size()) + "\n";
    for (const auto& [name, value] : suite.properties) {
        out += "  # " + name + ": " + one_line(value) + '\n';
    }
    for (std::size_t i = 0; i < tests.size(); ++i) {
        const TestCase& test = tests[i];
        const bool good = test.state == State::passed || test.state == State::skipped;
        for (const std::string& detail : test.details) {
            out += "  # " + one_line(detail) + '\n';
        }
        out += std::string("  ") + (good ? "ok " : "not ok ") + std::to_string(i + 1) + " " +
               test.name;
        if (test.state == State::skipped) {
            out += " # SKIP " + one_line(test.message);
        } else if (!good) {
            out += " # " + std::string(test.state == State::error ? "could not tell: " : "") +
                   one_line(test.message);
        }
        out += '\n';
    }
    out += std::string(suite.passed ? "ok 1 " : "not ok 1 ") + suite.name + " # seed " +
           std::to_string(suite.seed) + '\n';
    return out;
}

std::string junit(const TestSuite& suite) {
    const std::vector<TestCase>& tests = suite.tests;
    const auto count = [&](State state) {
        return std::to_string(std::ranges::count(tests, state, &TestCase::state));
    };
    double seconds = 0;
    for (const TestCase& test : tests) {
        seconds += test.seconds;
    }
    const std::string counts = " tests=\"" + std::to_string(tests.size()) + "\" failures=\"" +
                               count(State::failed) + "\" errors=\"" + count(State::error) +
                               "\" skipped=\"" + count(State::skipped) + "\" time=\"" +
                               decimal(seconds) + "\"";
    std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites" + counts +
                      ">\n  <testsuite name=\"" + partialfs::base::escaped(suite.name) + "\"" +
                      counts + ">\n    <properties>\n";
    for (const auto& [name, value] : suite.properties) {
        out += "      <property name=\"" + name + "\" value=\"" + partialfs::base::escaped(value) +
               "\"/>\n";
    }
    out += "    </properties>\n";
    for (const TestCase& test : tests) {
        append_case(out, suite.name, test);
    }
    return out + "  </testsuite>\n</testsuites>\n";
}

} // namespace mmapstress
