#include "tools/vmmodel/predict/schedule_file.hpp"

#include <zstd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

namespace vmmodel {

namespace {

using Error = std::unexpected<std::string>;

std::string error_text(const std::filesystem::path& path, int error) {
    return path.string() + ": " + std::generic_category().message(error);
}

std::expected<std::string, std::string> read_bytes(const std::filesystem::path& path) {
    const auto close = [](std::FILE* file) {
        if (file != stdin) {
            std::fclose(file); // read only: nothing can be lost
        }
    };
    const std::unique_ptr<std::FILE, decltype(close)> file(
        path == "-" ? stdin : std::fopen(path.c_str(), "rbe"), close);
    if (!file) {
        return Error(error_text(path, errno));
    }
    std::string bytes;
    std::array<char, 65536> part{};
    for (;;) {
        const std::size_t got = std::fread(part.data(), 1, part.size(), file.get());
        bytes.append(part.data(), got);
        if (std::ferror(file.get()) != 0) {
            return Error(error_text(path, errno));
        }
        if (got == 0) {
            return bytes;
        }
    }
}

std::expected<std::string, std::string> decompress(const std::string& compressed) {
    const auto free = [](ZSTD_DCtx* context) { ZSTD_freeDCtx(context); };
    const std::unique_ptr<ZSTD_DCtx, decltype(free)> context(ZSTD_createDCtx(), free);
    if (!context) {
        return Error("no memory for zstd");
    }
    std::string text;
    std::array<char, 65536> part{};
    ZSTD_inBuffer in{compressed.data(), compressed.size(), 0};
    std::size_t more = 1;
    while (in.pos < in.size || more != 0) {
        ZSTD_outBuffer out{part.data(), part.size(), 0};
        more = ZSTD_decompressStream(context.get(), &out, &in);
        if (ZSTD_isError(more) != 0) {
            return Error(std::string{"damaged zstd data: "} + ZSTD_getErrorName(more));
        }
        text.append(part.data(), out.pos);
        if (more != 0 && out.pos == 0 && in.pos == in.size) {
            return Error("damaged zstd data: it ends too early");
        }
    }
    return text;
}

} // namespace

std::expected<std::string, std::string> read_text(const std::filesystem::path& path) {
    auto bytes = read_bytes(path);
    if (!bytes || !bytes->starts_with("\x28\xb5\x2f\xfd")) {
        return bytes;
    }
    auto text = decompress(*bytes);
    return text ? text : Error(path.string() + ": " + text.error());
}

std::expected<std::vector<LoadedSchedule>, std::string>
load_schedules(const std::filesystem::path& path) {
    const auto text = read_text(path);
    if (!text) {
        return Error(text.error());
    }
    std::vector<LoadedSchedule> all;
    const std::size_t first = text->find_first_not_of(" \t\r\n");
    if (first != std::string::npos && (*text)[first] == '{') {
        auto recorded = mmapstress::parse_golden_file(*text);
        if (!recorded) {
            return Error(path.string() + ": " + recorded.error().message());
        }
        for (mmapstress::GoldenSchedule& one : *recorded) {
            all.push_back(
                {std::move(one.id), true, std::move(one.schedule), std::move(one.damage)});
        }
        return all;
    }
    auto schedule = mmapstress::parse_schedule(*text);
    if (!schedule) {
        return Error(path.string() + ": " + schedule.error().message());
    }
    all.push_back({path.filename().string(), false, std::move(*schedule), {}});
    return all;
}

} // namespace vmmodel
