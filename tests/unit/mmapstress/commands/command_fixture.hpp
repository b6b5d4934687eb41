// Runs the program itself, in a directory of its own.
#pragma once

#include "tests/shell_command.hpp"
#include "tests/temporary_directory.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

namespace mmapstress {

class Command : public testing::Test {
  protected:
    static partialfs::testing::Said run(const std::string& arguments) {
        return partialfs::testing::said_by(MMAPSTRESS " " + arguments);
    }
    std::string write(const char* name, const std::string& text) {
        std::ofstream(directory_ / name) << text;
        return (directory_ / name).string();
    }
    [[nodiscard]] std::string here() const { return directory_.path().string(); }

    partialfs::testing::TemporaryDirectory directory_;
};

/// One line of a file of recorded schedules.
inline std::string recorded(const std::string& ops) {
    return R"({"id":"one","kernel":"2.6.19","block":4096,"files":1,"size":4096,"start":"sparse",)"
           R"("ops":[)" +
           ops + R"(],"end":"fsync,munmap,fsync","damage":[]})" + "\n";
}
inline const std::string kStore = R"({"op":"store","file":0,"map":0,"off":7,"len":20,"v":3})";

} // namespace mmapstress
