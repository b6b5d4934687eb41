// Checks what the engine for old kernels needs of the C++ library when linked with musl: each part
// prints "ok" or its error. Built and run by musl_test.sh.
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <expected>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <shared_mutex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

int failures = 0;

void check(bool good, const char* what) {
    std::printf("%s: %s\n", what, good ? "ok" : "WRONG");
    failures += good ? 0 : 1;
}

int destroyed = 0;

struct CountsItsEnd {
    int touched = 0;
    ~CountsItsEnd() { ++destroyed; }
};

thread_local CountsItsEnd per_thread;

void thrower(int depth) {
    if (depth == 0)
        throw std::runtime_error("from below");
    thrower(depth - 1);
}

void exceptions() {
    std::string caught;
    try {
        thrower(20);
    } catch (const std::exception& error) {
        caught = error.what();
    }
    check(caught == "from below", "an exception through many frames");
}

void threads() {
    std::mutex mutex;
    std::condition_variable changed;
    int done = 0;
    {
        std::vector<std::jthread> workers;
        for (int i = 0; i < 4; ++i)
            workers.emplace_back([&] {
                per_thread.touched = 1;
                try {
                    thrower(3);
                } catch (const std::runtime_error&) {
                    const std::scoped_lock lock{mutex};
                    ++done;
                    changed.notify_all();
                }
            });
        std::unique_lock lock{mutex};
        check(changed.wait_for(lock, std::chrono::seconds{30}, [&] { return done == 4; }),
              "threads that throw and catch, and a wait for them");
    }
    check(destroyed == 4, "thread_local objects end with their threads");
    std::unique_lock lock{mutex};
    check(!changed.wait_for(lock, std::chrono::milliseconds{1}, [] { return false; }),
          "a wait that times out");
}

void timed_locks() {
    std::timed_mutex timed;
    std::shared_timed_mutex shared;
    const std::scoped_lock held{timed};
    const std::shared_lock reading{shared};
    bool second = true;
    bool reader = false;
    bool writer = true;
    std::jthread([&] {
        second = timed.try_lock_for(std::chrono::milliseconds{1});
        reader = shared.try_lock_shared_for(std::chrono::seconds{30});
        if (reader)
            shared.unlock_shared();
        writer = shared.try_lock_for(std::chrono::milliseconds{1});
    }).join();
    check(!second && reader && !writer, "locks with a time limit");
}

void streams(const std::filesystem::path& directory) {
    std::istringstream in{"  12 -34 0x1f word 2.5\nline two\n"};
    int a = 0;
    int b = 0;
    std::string hex;
    std::string word;
    double number = 0;
    in >> a >> b >> hex >> word >> number;
    check(a == 12 && b == -34 && hex == "0x1f" && word == "word" && number == 2.5,
          "formatted input");
    std::ostringstream out;
    out << std::hex << 255 << ' ' << 3.5 << ' ' << std::boolalpha << true;
    check(out.str() == "ff 3.5 true", "formatted output");
    const auto file = directory / "stream";
    std::ofstream{file} << "first\nsecond 7\n";
    std::ifstream back{file};
    std::string line;
    std::getline(back, line);
    check(line == "first", "a file stream");
    check(std::isalpha('x', std::locale::classic()) && !std::isalpha('1', std::locale::classic()) &&
              std::toupper('q', std::locale::classic()) == 'Q' &&
              std::isspace('\t', std::locale::classic()) &&
              std::ispunct('!', std::locale::classic()) &&
              !std::isprint('\x7f', std::locale::classic()),
          "the character table");
}

void filesystem(const std::filesystem::path& directory) {
    std::filesystem::create_directories(directory / "a/b");
    std::ofstream{directory / "a/b/c"} << "x";
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator{directory / "a"})
        names.insert(entry.path().filename());
    check(names == std::set<std::string>{"b", "c"}, "a walk through a tree");
    bool refused = false;
    try {
        std::filesystem::rename(directory / "none", directory / "other");
    } catch (const std::filesystem::filesystem_error& error) {
        refused = error.code() == std::errc::no_such_file_or_directory;
    }
    check(refused, "an error code in an exception");
}

void values() {
    const auto parsed = nlohmann::json::parse(R"({"a": [1, 2.5, "text"], "b": null})");
    check(parsed["a"][1].get<double>() == 2.5 && parsed.dump().size() > 10, "JSON");
    const std::expected<int, std::string> bad = std::unexpected{"bad"};
    check(!bad && bad.error() == "bad", "std::expected");
    int number = 0;
    const std::string text = "4711";
    std::from_chars(text.data(), text.data() + text.size(), number);
    check(number == 4711, "std::from_chars");
    std::random_device device;
    check(device() != device() || device() != device(), "std::random_device");
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 2)
        return 2;
    exceptions();
    threads();
    timed_locks();
    streams(argv[1]);
    filesystem(argv[1]);
    values();
    return failures == 0 ? 0 : 1;
}
