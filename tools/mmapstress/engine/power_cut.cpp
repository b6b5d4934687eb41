#include "tools/mmapstress/engine/power_cut.hpp"

#include "fusefs/base/fd.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <random>
#include <utility>

namespace mmapstress {

namespace {

using partialfs::base::Fd;

Outcome<> tell(const std::string& control, const std::string& command) {
    const std::string path = control + "/power";
    const auto fd = Fd::open(AT_FDCWD, path.c_str(), O_WRONLY);
    if (!fd) {
        errno = fd.error().value;
        return failed("cannot open " + path + ", which exists only with partialfs --power");
    }
    if (::write(fd->get(), command.data(), command.size()) < 0) {
        return failed("cannot write '" + command + "' to " + path);
    }
    return {};
}

std::uint64_t below(std::mt19937_64& random, std::uint64_t limit) {
    return random() % limit;
}

/// A moment for the cut, of any kind. Early moments are likely, late ones possible.
std::string moment(std::mt19937_64& random) {
    const auto one_of_many = [&](unsigned bits) {
        return std::to_string(1 + below(random, std::uint64_t{1} << (1 + below(random, bits))));
    };
    const auto when = [&] { return below(random, 2) == 0 ? " when=before" : " when=after"; };
    switch (below(random, 6)) {
    case 0:
        return "fsync:" + one_of_many(4) + when();
    case 1:
        return "commit:" + one_of_many(3) + when();
    case 2:
        return "writepage:" + one_of_many(8) + when();
    default:
        return "op:" + one_of_many(11);
    }
}

std::string tear(std::mt19937_64& random) {
    constexpr std::array kTears{"tear=512", "tear=512", "tear=4096", "tear=512 keep-order"};
    return kTears.at(below(random, kTears.size())) + std::string(" seed=") +
           std::to_string(random() >> 1U);
}

} // namespace

bool PowerCut::is_possible(const std::string& root) {
    return !root.empty() && ::access((root + "/.partialfs/power").c_str(), F_OK) == 0;
}

Outcome<PowerCut> PowerCut::arm(const std::string& root, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    const std::string at = moment(random);
    const std::string torn = tear(random);
    PowerCut cut(root + "/.partialfs", torn, "cut " + torn + " at=" + at);
    // First `on`: an earlier run may have left the power off.
    for (const std::string& command : {std::string("on"), cut.command_}) {
        if (auto told = tell(cut.control_, command); !told) {
            return std::unexpected(std::move(told.error()));
        }
    }
    return cut;
}

Outcome<bool> PowerCut::finish() {
    bool had_happened = false;
    if (auto cut = tell(control_, "cut " + tear_); !cut) {
        if (cut.error().error != EBUSY) {
            return std::unexpected(std::move(cut.error()));
        }
        // The armed cut has happened. It may still be under way.
        had_happened = true;
        const std::string path = control_ + "/fired";
        const auto fd = Fd::open(AT_FDCWD, path.c_str(), O_RDONLY);
        std::array<char, 1024> report{};
        ssize_t got = -1;
        do { // a process of the run that ends sends a signal
            got = fd ? ::read(fd->get(), report.data(), report.size()) : -1;
        } while (fd && got < 0 && errno == EINTR);
        if (got < 0) {
            return failed("cannot read " + path);
        }
    }
    for (const char* command : {"disarm", "on"}) {
        if (auto told = tell(control_, command); !told) {
            return std::unexpected(std::move(told.error()));
        }
    }
    return had_happened;
}

} // namespace mmapstress
