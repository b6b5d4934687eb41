#include "fusefs/trace/recorder.hpp"
#include "tests/temporary_directory.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace partialfs::trace {
namespace {

class RecorderTest : public ::testing::Test {
  protected:
    /// The lines of the trace file.
    std::vector<std::string> lines_of_file() const {
        std::ifstream file(path_);
        std::vector<std::string> lines;
        for (std::string line; std::getline(file, line);) {
            lines.push_back(line);
        }
        return lines;
    }
    base::Fd open_file(int flags) {
        return base::Fd::open(AT_FDCWD, path_.c_str(), flags, 0600).value();
    }

    testing::TemporaryDirectory directory_;
    std::filesystem::path path_ = directory_ / "trace";
    Recorder recorder_{*model::BlockSize::from_bytes(1024)};
};

TEST_F(RecorderTest, EveryEventOfTwoThreadsReachesTheFileInOrder) {
    recorder_.start_file(open_file(O_WRONLY | O_CREAT | O_APPEND));
    constexpr std::size_t kEach =
        3 * Recorder::kKept; // more than the ring holds: the recording thread has to wait
    const auto record = [this] {
        for (std::size_t i = 0; i < kEach; ++i) {
            recorder_.record(Event{});
        }
    };
    std::thread other(record);
    record();
    other.join();
    recorder_.stop_file();

    EXPECT_EQ(recorder_.recorded(), 2 * kEach);
    EXPECT_EQ(recorder_.file_error(), 0);
    const std::vector<std::string> lines = lines_of_file();
    ASSERT_EQ(lines.size(), 2 * kEach);
    for (std::size_t i = 0; i < lines.size(); ++i) {
        ASSERT_NE(lines[i].find("\"seq\":" + std::to_string(i + 1) + ","), std::string::npos)
            << lines[i];
    }
}

TEST_F(RecorderTest, AFileThatCannotBeWrittenStopsNobodyAndIsReported) {
    open_file(O_WRONLY | O_CREAT);
    recorder_.start_file(open_file(O_RDONLY));
    for (std::size_t i = 0; i < 2 * Recorder::kKept; ++i) {
        recorder_.record(Event{});
    }
    recorder_.stop_file();
    EXPECT_EQ(recorder_.file_error(), EBADF);
    EXPECT_EQ(recorder_.recorded(), 2 * Recorder::kKept);
}

} // namespace
} // namespace partialfs::trace
