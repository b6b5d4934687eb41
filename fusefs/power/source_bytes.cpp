#include "fusefs/power/source_bytes.hpp"

#include "fusefs/base/try.hpp"

namespace partialfs::power {

backing::FileIo& system_calls() {
    static backing::FileIo calls;
    return calls;
}

base::Result<void> read_zero_filled(int fd, model::ByteOffset offset, std::span<std::byte> target) {
    const auto got = TRY(backing::read_all(system_calls(), fd, target, offset));
    std::ranges::fill(target.subspan(got), std::byte{0});
    return {};
}

} // namespace partialfs::power
