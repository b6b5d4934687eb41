// The daemon answers any requests that a kernel could send, each once and well-formed, and the
// filesystem shuts down cleanly. Uses the real operations, on a directory of tmpfs, without a
// mount.
#include "fusefs/startup/filesystem.hpp"
#include "tests/fuzz/fuse/fake_kernel.hpp"
#include "tests/fuzz/fuse/script.hpp"
#include "tests/temporary_directory.hpp"

#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <thread>

namespace {

/// Settings of the whole process, made once.
bool prepare() {
    // On tmpfs fallocate(2) takes real memory.
    constexpr rlim_t kLargestFile = rlim_t{2} << 20U;
    const rlimit limit{kLargestFile, kLargestFile};
    std::signal(SIGXFSZ, SIG_IGN);
    ::umask(0);
    spdlog::set_level(spdlog::level::off);
    if (std::filesystem::is_directory("/dev/shm")) {
        ::setenv("TMPDIR", "/dev/shm", /*overwrite=*/0);
    }
    return ::setrlimit(RLIMIT_FSIZE, &limit) == 0;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace partialfs::fuzz;
    static const bool prepared = prepare();
    if (!prepared) {
        std::abort();
    }
    Script script = parse_script(std::as_bytes(std::span(data, size)));
    const partialfs::testing::TemporaryDirectory directory;
    script.options.source = directory.path();
    // If this is no mount, no private view of it is made, which would take longer than all
    // requests.
    script.options.mountpoint = directory / "no-mountpoint";
    partialfs::faults::FaultBook faults;
    partialfs::startup::Filesystem filesystem(script.options, partialfs::fuse::Probe::compare,
                                              faults);
    FakeKernel kernel(std::move(script.retrieved));
    if (!filesystem.connect(FakeKernel::io(), kernel.take_daemon_end())) {
        std::abort();
    }
    std::thread server([&] { filesystem.serve([] { return true; }); });
    for (const ScriptedRequest& request : script.requests) {
        kernel.send(request);
    }
    kernel.hang_up();
    server.join();
    return 0;
}
