// The operations that are system calls on a part of a mapping.
#pragma once

#include "tools/mmapstress/system/failure.hpp"
#include "tools/schedule/op.hpp"

#include <cstddef>
#include <span>
#include <string>

namespace mmapstress {

/// Whether call_on_mapping() can carry out this kind.
bool is_call_on_mapping(OpKind kind);

/// msync(), madvise() or mprotect() of `mapped`, as op.hpp states it. `mapped` is whole pages of
/// the mapping of the file at `path`; if it is empty, nothing is done. The failure names call and
/// file. Any thread.
Outcome<> call_on_mapping(OpKind kind, std::span<std::byte> mapped, const std::string& path);

} // namespace mmapstress
