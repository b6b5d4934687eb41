// The way out of a function with the error of what it has called.
#pragma once

#include <expected>
#include <utility>

/// The value of a std::expected. If there is none, the function returns its error: what it returns
/// must be a std::expected of the same kind of error.
///
///     const auto fd = TRY(base::Fd::open(AT_FDCWD, path, O_RDONLY));
///     TRY(backing::change_mode(fd.get(), mode));
// A statement expression, which GCC and clang have: only what stands in the function itself can
// leave it.
#define TRY(...)                                                                                   \
    __extension__({                                                                                \
        auto&& try_result = (__VA_ARGS__);                                                         \
        if (!try_result) {                                                                         \
            return std::unexpected(std::move(try_result).error());                                 \
        }                                                                                          \
        *std::move(try_result);                                                                    \
    })
