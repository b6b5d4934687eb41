// Runs a fuzz target without a fuzzer: every file of its corpus unchanged, then mutated by a fixed
// random sequence. For builds with g++; clang's libFuzzer has its own main().
//
// usage: TARGET CORPUS_DIRECTORY [MUTATIONS_PER_FILE]
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes read(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// One to eight small changes: bytes overwritten, removed or doubled, digits changed.
Bytes mutated(Bytes input, std::mt19937_64& random) {
    const auto below = [&](std::size_t limit) {
        return static_cast<std::size_t>(random() % limit);
    };
    for (std::size_t change = 1 + below(8); change > 0 && !input.empty(); --change) {
        const std::size_t at = below(input.size());
        const std::size_t length = std::min(1 + below(16), input.size() - at);
        const auto begin = input.begin() + static_cast<std::ptrdiff_t>(at);
        const auto end = begin + static_cast<std::ptrdiff_t>(length);
        switch (below(4)) {
        case 0:
            *begin = static_cast<std::uint8_t>(random());
            break;
        case 1:
            input.erase(begin, end);
            break;
        case 2: {
            const Bytes copy(begin, end);
            input.insert(begin, copy.begin(), copy.end());
            break;
        }
        default:
            *begin = static_cast<std::uint8_t>('0' + below(10));
            break;
        }
    }
    return input;
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fprintf(stderr, "usage: %s CORPUS_DIRECTORY [MUTATIONS_PER_FILE]\n", argv[0]);
        return 2;
    }
    const long mutations = argc > 2 ? std::strtol(argv[2], nullptr, 10) : 2000;
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
        files.push_back(entry.path());
    }
    std::ranges::sort(files);
    if (files.empty()) {
        std::fprintf(stderr, "%s: no corpus there\n", argv[1]);
        return 2;
    }
    std::mt19937_64 random(20061229);
    for (const auto& path : files) {
        const Bytes input = read(path);
        LLVMFuzzerTestOneInput(input.data(), input.size());
        for (long i = 0; i < mutations; ++i) {
            const Bytes changed = mutated(input, random);
            LLVMFuzzerTestOneInput(changed.data(), changed.size());
        }
    }
    std::printf("%zu files, %ld mutations of each\n", files.size(), mutations);
    return 0;
}
