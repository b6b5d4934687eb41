// What the tests of power cuts share: a mount with --power and the fixed contract.
#pragma once

#include "fusefs/base/fd.hpp"
#include "tests/json_lines.hpp"
#include "tests/mounted/ledger_file.hpp"
#include "tests/mounted/mount.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace partialfs::testing {

using base::Fd;
using nlohmann::json;
using test::read_file;

class PowerOf : public ::testing::Test {
  protected:
    void SetUp() override { SKIP_IF_MOUNTING_IS_IMPOSSIBLE(); }
    void TearDown() override {
        if (mount_.running()) {
            const Ended ended = mount_.stop();
            EXPECT_EQ(ended.code, 0) << ended.errors;
        }
    }
    void start(std::vector<std::string> more = {}) {
        std::vector<std::string> options{"--power", "--contract", "linux-2.6.20",
                                         "--commit-interval", "0"};
        options.insert(options.end(), more.begin(), more.end());
        mount_.start(options);
    }
    [[nodiscard]] std::filesystem::path at(const std::string& name) const {
        return mount_.path() / name;
    }
    [[nodiscard]] std::filesystem::path control(const std::string& name) const {
        return at(".partialfs/" + name);
    }
    /// Writes a command. Returns 0 or its errno.
    int tell(const std::string& command) {
        const Fd fd(::open(control("power").c_str(), O_WRONLY | O_CLOEXEC));
        EXPECT_TRUE(fd) << std::strerror(errno);
        return ::write(fd.get(), command.data(), command.size()) < 0 ? errno : 0;
    }
    json power() { return json::parse(read_file(control("power"))); }
    static std::vector<json> lines(const std::filesystem::path& path) {
        return json_lines(read_file(path));
    }
    /// What the ledger says that cuts took from this file: ranges and sizes, sorted.
    std::vector<std::string> taken_from(const std::string& name) {
        std::vector<std::string> taken;
        for (const json& line : lines(control("ledger"))) {
            EXPECT_EQ(line["kind"], "cut") << line;
            EXPECT_EQ(line["path"], name) << line;
            taken.push_back(line.contains("size_was")
                                ? line["size_was"].dump() + ">" + line["size_is"].dump()
                                : line["offset"].dump() + "+" + line["length"].dump());
        }
        std::ranges::sort(taken);
        return taken;
    }
    [[nodiscard]] Fd open(const std::string& name, int flags = O_RDWR | O_CREAT) const {
        return Fd(::open(at(name).c_str(), flags | O_CLOEXEC, 0644));
    }
    static void write(const Fd& fd, off_t offset, const std::string& text) {
        EXPECT_EQ(::pwrite(fd.get(), text.data(), text.size(), offset), ssize_t(text.size()))
            << std::strerror(errno);
    }
    void put(const std::string& name, const std::string& text, bool synced) {
        const Fd fd = open(name);
        write(fd, 0, text);
        if (synced) {
            EXPECT_EQ(::fsync(fd.get()), 0);
        }
    }
    std::string content(const std::string& name) const { return read_file(at(name)); }
    static std::byte* map(const Fd& fd, std::size_t size) {
        void* const address =
            ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
        EXPECT_NE(address, MAP_FAILED);
        return static_cast<std::byte*>(address);
    }
    /// Whether a process that calls `touch` is killed by SIGBUS.
    static bool gets_sigbus(const std::function<void()>& touch) {
        const pid_t child = ::fork();
        if (child == 0) {
            ::signal(SIGBUS, SIG_DFL);
            touch();
            ::_exit(0);
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        return WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS;
    }

    Mount mount_;
};

} // namespace partialfs::testing
