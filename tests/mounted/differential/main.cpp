// differential: hunts for differences between a partialfs mount and a plain directory.
//
//   differential [--seed N] [--seconds N] [--processes N] [--operations N]
//                [--policy NAME] [--commit-interval TIME] [--probe HOW]
//                [--mount DIR --source DIR --plain DIR]  instead of a mount of its own
//                [--without OPERATION,...] [--without-check CHECK,...]
//                [--replay FILE] [--shorten]
//
// Exit code 0: nothing found. 1: something found; the operations that showed it are on stdout, for
// --replay. 2: the command line is wrong, or mounting failed.
#include "tests/mounted/differential/hunt.hpp"
#include "tests/mounted/mount.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <fstream>
#include <iostream>

namespace {

using namespace partialfs::differential;

struct Arguments {
    HuntSettings settings;
    unsigned seconds = 60;
    std::string policy = "ext3";
    std::string commit_interval = "1ms";
    std::string probe = "auto";
    Places places;
    std::vector<std::string> without;
    std::vector<std::string> without_checks;
    std::string replay;
    bool shorten = false;
};

void describe(CLI::App& app, Arguments& arguments) {
    app.add_option("--seed", arguments.settings.seed, "of the first case");
    app.add_option("--seconds", arguments.seconds);
    app.add_option("--processes", arguments.settings.processes);
    app.add_option("--operations", arguments.settings.operations, "of each case");
    app.add_option("--policy", arguments.policy, "partialfs' --flush-policy");
    app.add_option("--commit-interval", arguments.commit_interval, "partialfs'");
    app.add_option("--probe", arguments.probe, "partialfs'");
    auto* mount = app.add_option("--mount", arguments.places.mount, "a mount that is there");
    auto* source = app.add_option("--source", arguments.places.source, "the directory under it");
    auto* plain = app.add_option("--plain", arguments.places.plain, "a directory to compare with");
    mount->needs(source, plain);
    app.add_option("--without", arguments.without, "operations to leave out")->delimiter(',');
    app.add_option("--without-check", arguments.without_checks,
                   "answers, sizes, bytes, data_found, blocks, times, stamps, inodes or source")
        ->delimiter(',');
    app.add_option("--replay", arguments.replay, "operations, one a line, instead of random ones");
    app.add_flag("--shorten", arguments.shorten,
                 "print as few operations as show it within --seconds");
}

int report(const Arguments& arguments, const Finding& finding) {
    std::printf("# %s\n# seed %llu, %zu operations\n", finding.message.c_str(),
                static_cast<unsigned long long>(finding.seed), finding.operations.size());
    std::fflush(stdout);
    if (arguments.shorten) {
        const auto few = shorten(arguments.places, arguments.settings, finding.operations);
        std::printf("# shortened to %zu\n", few.size());
        std::fflush(stdout);
        write_operations(std::cout, few);
    } else {
        write_operations(std::cout, finding.operations);
    }
    return 1;
}

std::vector<Operation> operations_in(const std::string& name) {
    std::ifstream file(name);
    if (!file) {
        throw std::runtime_error("cannot read " + name);
    }
    return read_operations(file);
}

int run(Arguments& arguments) {
    for (const std::string& name : arguments.without) {
        arguments.settings.left_out.insert(kind_from(name));
    }
    for (const std::string& name : arguments.without_checks) {
        arguments.settings.checks.leave_out(check_from(name));
    }
    arguments.settings.time = std::chrono::seconds(arguments.seconds);
    std::optional<partialfs::testing::Mount> mount;
    if (arguments.places.mount.empty()) {
        mount.emplace();
        mount->start({"--contract", "linux-2.6.20", "--flush-policy", arguments.policy,
                      "--commit-interval", arguments.commit_interval, "--probe", arguments.probe});
        arguments.places = {mount->path(), mount->source(), mount->temporary() / "plain"};
        std::filesystem::create_directory(arguments.places.plain);
    }
    const HuntResult result =
        arguments.replay.empty()
            ? hunt(arguments.places, arguments.settings)
            : run_again(arguments.places, arguments.settings, operations_in(arguments.replay));
    if (result.finding) {
        return report(arguments, *result.finding);
    }
    std::printf("# nothing in %zu cases\n", result.cases);
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    Arguments arguments;
    CLI::App app{"Hunts for differences between a partialfs mount and a plain directory."};
    describe(app, arguments);
    CLI11_PARSE(app, argc, argv);
    try {
        return run(arguments);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "differential: %s\n", error.what());
        return 2;
    }
}
