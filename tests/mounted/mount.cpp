#include "tests/mounted/mount.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace partialfs::testing {
namespace {

namespace fs = std::filesystem;

constexpr long kFuseSuperMagic = 0x65735546;

std::string contents_of(const fs::path& file) {
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
}

int code_of(int status) {
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

std::vector<char*> as_argv(std::vector<std::string>& arguments) {
    std::vector<char*> pointers;
    for (std::string& argument : arguments) {
        pointers.push_back(argument.data());
    }
    pointers.push_back(nullptr);
    return pointers;
}

/// Starts a program with stderr going to `errors`. It gets SIGTERM when this thread dies.
pid_t start_program(std::vector<std::string> arguments,
                    const std::map<std::string, std::string>& environment, const fs::path& errors) {
    const auto argv = as_argv(arguments);
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child != 0) {
        return child;
    }
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) {
        ::_exit(126);
    }
    const int fd = ::open(errors.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ::dup2(fd, STDERR_FILENO);
    for (const auto& [name, value] : environment) {
        ::setenv(name.c_str(), value.c_str(), 1);
    }
    ::execvp(argv[0], argv.data());
    ::_exit(127);
}

int wait_for(pid_t child) {
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

/// Unmounts everything mounted at a directory, in use or not.
void unmount_all(const fs::path& directory) {
    while (::umount2(directory.c_str(), MNT_DETACH) == 0) {
    }
}

/// The watcher's main function: sleeps until the test process has died or closed the lifeline, then
/// cleans up.
[[noreturn]] void watch(int lifeline, const fs::path& mountpoint, const fs::path& source,
                        const fs::path& temporary) {
    ::setsid();
    char never = 0;
    while (::read(lifeline, &never, 1) < 0 && errno == EINTR) {
    }
    unmount_all(mountpoint);
    unmount_all(source);
    std::error_code ignored;
    fs::remove_all(temporary, ignored);
    ::_exit(0);
}

} // namespace

std::optional<std::string> why_mounting_is_impossible() {
    static const std::optional<std::string> reason = []() -> std::optional<std::string> {
        if (::access("/dev/fuse", F_OK) != 0) {
            return "/dev/fuse is missing: mounted tests need the fuse module";
        }
        if (::geteuid() != 0) {
            return "not root: mounted tests act as several users";
        }
        const int fd = ::open("/dev/fuse", O_RDWR | O_CLOEXEC);
        if (fd < 0) {
            return "/dev/fuse cannot be opened: " + std::generic_category().message(errno);
        }
        ::close(fd);
        // Tries whether mount(2) is allowed at all, in a mount namespace that ends with the child.
        const pid_t child = ::fork();
        if (child == 0) {
            const bool may = ::unshare(CLONE_NEWNS) == 0 &&
                             ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
            ::_exit(may ? 0 : 1);
        }
        if (code_of(wait_for(child)) != 0) {
            return "no right to mount (CAP_SYS_ADMIN)";
        }
        return std::nullopt;
    }();
    return reason;
}

Ended run_program(const std::vector<std::string>& arguments,
                  const std::map<std::string, std::string>& environment) {
    std::string errors = (fs::temp_directory_path() / "partialfs-stderr.XXXXXX").string();
    const int fd = ::mkstemp(errors.data());
    if (fd < 0) {
        throw std::system_error(errno, std::generic_category(), errors);
    }
    ::close(fd);
    Ended ended;
    ended.code = code_of(wait_for(start_program(arguments, environment, errors)));
    ended.errors = contents_of(errors);
    fs::remove(errors);
    return ended;
}

bool wait_until(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) {
            return false;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
}

Mount::Mount() {
    std::string pattern = (fs::temp_directory_path() / "partialfs-mount.XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) {
        throw std::system_error(errno, std::generic_category(), "mkdtemp " + pattern);
    }
    temporary_ = pattern;
    source_ = temporary_ / "source";
    mountpoint_ = temporary_ / "mountpoint";
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        throw std::system_error(errno, std::generic_category(), "pipe");
    }
    watcher_ = ::fork();
    if (watcher_ == 0) {
        ::close(ends[1]);
        watch(ends[0], mountpoint_, source_, temporary_);
    }
    ::close(ends[0]);
    lifeline_ = ends[1];
    ::chmod(temporary_.c_str(), 0755);
    fs::create_directory(source_);
    fs::create_directory(mountpoint_);
}

Mount::~Mount() {
    if (running()) {
        stop();
    }
    remove_mounts();
    ::close(lifeline_);
    wait_for(watcher_);
}

void Mount::start(std::vector<std::string> options,
                  const std::map<std::string, std::string>& environment) {
    std::vector<std::string> line = wrapper_;
    line.insert(line.end(), {PARTIALFS_BINARY, source_, mountpoint_, "-f", "-o", "allow_other"});
    if (const char* policy = std::getenv("PARTIALFS_TEST_FLUSH_POLICY")) {
        line.insert(line.end(), {"--flush-policy", policy});
    }
    line.insert(line.end(), options.begin(), options.end());
    daemon_ = start_program(line, environment, temporary_ / "stderr");
    int status = 0;
    const bool settled = wait_until([&] {
        if (::waitpid(daemon_, &status, WNOHANG) == daemon_) {
            daemon_ = -1;
            return true;
        }
        return is_mounted() && errors().find("is mounted at") != std::string::npos;
    });
    if (!running()) {
        throw std::runtime_error("the daemon ended with " + std::to_string(code_of(status)) + ": " +
                                 errors());
    }
    if (!settled) {
        throw std::runtime_error("the daemon did not mount: " + errors());
    }
}

int Mount::write_control(const std::string& name, const std::string& text) const {
    const int fd = ::open((mountpoint_ / ".partialfs" / name).c_str(), O_WRONLY | O_CLOEXEC);
    const int error = fd < 0 || ::write(fd, text.data(), text.size()) < 0 ? errno : 0;
    ::close(fd);
    return error;
}

std::string Mount::read_control(const std::string& name) const {
    return contents_of(mountpoint_ / ".partialfs" / name);
}

void Mount::set_faults(const std::string& rules) const {
    if (const int error = write_control("faults", "clear\n" + rules); error != 0) {
        throw std::system_error(error, std::generic_category(),
                                rules + ": " + read_control("faults"));
    }
}

Ended Mount::stop(int signal) {
    ::kill(daemon_, signal);
    return wait_for_end();
}

std::expected<Ended, int> Mount::unmount() {
    if (::umount2(mountpoint_.c_str(), 0) != 0) {
        return std::unexpected(errno);
    }
    return wait_for_end();
}

Ended Mount::wait_for_end() {
    int status = 0;
    if (!wait_until([&] { return ::waitpid(daemon_, &status, WNOHANG) == daemon_; })) {
        ::kill(daemon_, SIGKILL);
        status = wait_for(daemon_);
    }
    daemon_ = -1;
    return {code_of(status), errors()};
}

void Mount::kill() {
    ::kill(daemon_, SIGKILL);
    wait_for(daemon_);
    daemon_ = -1;
    unmount_all(mountpoint_);
}

bool Mount::is_mounted() const {
    struct statfs status{};
    return ::statfs(mountpoint_.c_str(), &status) == 0 && status.f_type == kFuseSuperMagic;
}

void Mount::remove_mounts() const {
    unmount_all(mountpoint_);
    unmount_all(source_);
}

void Mount::put_source_on_tmpfs(const std::string& options) {
    if (::mount("none", source_.c_str(), "tmpfs", 0, options.c_str()) != 0) {
        throw std::system_error(errno, std::generic_category(), "tmpfs at " + source_.string());
    }
}

std::string Mount::errors() const {
    return contents_of(temporary_ / "stderr");
}

} // namespace partialfs::testing
