#include "fusefs/file/context.hpp"

#include "fusefs/power/power.hpp"

namespace partialfs::file {

backing::FileIo& Context::disk() const {
    return power == nullptr ? io : power->boot();
}

} // namespace partialfs::file
