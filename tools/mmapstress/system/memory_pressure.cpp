#include "tools/mmapstress/system/memory_pressure.hpp"

#include "tools/mmapstress/system/files.hpp"
#include "tools/mmapstress/system/page_cache.hpp"

#include <sys/mman.h>

#include <charconv>
#include <string_view>
#include <utility>

namespace mmapstress {

namespace {

/// What the program itself may need, with the operations that it keeps.
constexpr ByteCount kLeast{16U << 20U};
/// Dirty pages are only written when they are asked to leave, and dropped when asked again: so they
/// are asked several times before the limit is reached.
constexpr std::uint64_t kAskingsPerLimit = 4;

/// The bytes in a line such as "MemFree:   123 kB"; 0 if there is no such line.
std::uint64_t bytes_of(const std::string& text, std::string_view name) {
    const std::size_t at = text.find(name);
    if (at == std::string::npos) {
        return 0;
    }
    const std::size_t digits = text.find_first_not_of(' ', at + name.size());
    std::uint64_t kibibytes = 0;
    if (digits != std::string::npos) {
        std::from_chars(text.data() + digits, text.data() + text.size(), kibibytes);
    }
    return kibibytes * 1024;
}

/// Bytes of memory that are available in the system; 0 if not known.
std::uint64_t available_memory() {
    const auto text = read_file("/proc/meminfo");
    if (!text) {
        return 0;
    }
    const std::uint64_t available = bytes_of(*text, "MemAvailable:");
    // Linux before 3.14 has no such line.
    return available != 0 ? available
                          : bytes_of(*text, "\nMemFree:") + bytes_of(*text, "\nBuffers:") +
                                bytes_of(*text, "\nCached:");
}

std::string mebibytes(std::uint64_t bytes) {
    return std::to_string(bytes >> 20U) + " MiB";
}

} // namespace

Outcome<MemoryPressure> MemoryPressure::apply(ByteCount limit, std::string_view filesystem,
                                              bool any_group, ByteCount most_ballast) {
    MemoryPressure pressure;
    if (limit.value == 0) {
        return pressure;
    }
    if (limit < kLeast) {
        return refused("memory pressure of " + std::to_string(limit.value) +
                       " bytes leaves too little for the program itself: at least " +
                       std::to_string(kLeast.value));
    }
    pressure.limit_ = limit;
    if (any_group) {
        auto group = MemoryGroup::join(limit);
        if (group) {
            pressure.group_.emplace(std::move(*group));
            pressure.by_hand_ = filesystem.starts_with("fuse") && pages_can_be_asked_to_leave();
            return pressure;
        }
        pressure.no_group_ = group.error().message();
    }
    const std::uint64_t available = available_memory();
    const std::uint64_t size = available - std::min(available, limit.value);
    if (size != 0 && size <= most_ballast.value) {
        void* const ballast =
            ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_NORESERVE, -1, 0);
        if (ballast != MAP_FAILED) {
            ::mlock(ballast, size); // if permitted; otherwise the ballast may be swapped out
            pressure.ballast_ = static_cast<std::byte*>(ballast);
            pressure.ballast_size_ = size;
            return pressure;
        }
    }
    if (pages_can_be_asked_to_leave()) {
        pressure.by_hand_ = true;
        return pressure;
    }
    return refused("cannot apply memory pressure: " + pressure.no_group_ + "; leaving " +
                   mebibytes(limit.value) + " of " + mebibytes(available) +
                   " available would take too large a ballast; and the kernel cannot be asked to "
                   "reclaim pages (MADV_PAGEOUT: Linux 5.4)");
}

MemoryPressure::MemoryPressure(MemoryPressure&& other) noexcept
    : limit_(std::exchange(other.limit_, ByteCount{0})), by_hand_(other.by_hand_),
      no_group_(std::move(other.no_group_)), group_(std::move(other.group_)),
      ballast_(std::exchange(other.ballast_, nullptr)),
      ballast_size_(std::exchange(other.ballast_size_, 0)) {
    other.group_.reset();
}

void MemoryPressure::release() {
    group_.reset();
    if (ballast_ != nullptr) {
        ::munmap(ballast_, ballast_size_);
        ballast_ = nullptr;
    }
    limit_ = ByteCount{0};
}

ByteCount MemoryPressure::by_hand() const {
    return ByteCount{by_hand_ ? limit_.value / kAskingsPerLimit : 0};
}

std::string MemoryPressure::how() const {
    if (limit_.value == 0) {
        return {};
    }
    std::string text = mebibytes(limit_.value);
    if (group_) {
        const ByteCount now = group_->limit();
        if (limit_ < now) {
            text += ", raised to " + mebibytes(now.value) + " as too few pages could be written,";
        }
        return text + " by a control group" +
               (by_hand_ ? " and by asking for writeback and reclaim" : "");
    }
    if (ballast_ != nullptr) {
        return text + " by a ballast of " + mebibytes(ballast_size_);
    }
    return text + " by asking for writeback and reclaim" +
           (no_group_.empty() ? std::string() : " (" + no_group_ + ")");
}

} // namespace mmapstress
