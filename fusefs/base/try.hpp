// TRY: returns from a function with the error of a call.
#pragma once

#include <expected>
#include <utility>

/// The value of a std::expected. If it has an error instead, the enclosing function returns that
/// error; its own type must be a std::expected with the same error type.
///
///     const auto fd = TRY(base::Fd::open(AT_FDCWD, path, O_RDONLY));
///     TRY(backing::change_mode(fd.get(), mode));
// A statement expression (GCC, clang): a lambda could not return from the enclosing function.
#define TRY(...)                                                                                   \
    __extension__({                                                                                \
        auto&& try_result = (__VA_ARGS__);                                                         \
        if (!try_result) {                                                                         \
            return std::unexpected(std::move(try_result).error());                                 \
        }                                                                                          \
        *std::move(try_result);                                                                    \
    })
