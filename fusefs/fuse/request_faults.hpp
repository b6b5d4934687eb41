// The faults of the layer `request`: rules are applied to a request before its handler gets it.
#pragma once

#include "fusefs/faults/fault_book.hpp"
#include "fusefs/fuse/libfuse.hpp"
#include "fusefs/fuse/reply.hpp"
#include "fusefs/model/types.hpp"

#include <array>
#include <cstddef>
#include <optional>
#include <tuple>
#include <utility>

namespace partialfs::fuse {

using faults::Operation;

/// The operation of rules for a kind of request; rules cannot apply to a kind that has none.
template <auto member>
inline constexpr std::optional<Operation> faults_operation{};
template <>
inline constexpr std::optional faults_operation<&fuse_lowlevel_ops::lookup>{Operation::lookup};
template <>
inline constexpr std::optional faults_operation<&fuse_lowlevel_ops::getattr>{Operation::getattr};
template <>
inline constexpr std::optional faults_operation<&fuse_lowlevel_ops::setattr>{Operation::setattr};
template <>
inline constexpr std::optional faults_operation<&fuse_lowlevel_ops::readlink>{Operation::readlink};
template <>
inline constexpr std::optional faults_operation<&fuse_lowlevel_ops::mknod>{Operation::mknod};
template <>
inline constexpr std::optional faults_operation<&fuse_lowlevel_ops::mkdir>{Operation::mkdir};
template <>
inline constexpr std::optional faults_operation<&fuse_lowlevel_ops::unlink>{Operation::unlink};
template <>
inline constexpr std::optional faults_operation<&fuse_lowlevel_ops::rmdir>{Operation::rmdir};
template <>
inline constexpr std::optional faults_operation<&fuse_lowlevel_ops::symlink>{Operation::symlink};
template <>
inline constexpr std::optional faults_operation<&fuse_lowlevel_ops::rename>{Operation::rename};
template <>
inline constexpr std::optional faults_operation<&fuse_lowlevel_ops::link>{Operation::link};
template <>
inline constexpr std::optional faults_operation<&fuse_lowlevel_ops::create>{Operation::create};
template <>
inline constexpr std::optional faults_operation<&fuse_lowlevel_ops::open>{Operation::open};
template <>
inline constexpr std::optional faults_operation<&fuse_lowlevel_ops::read>{Operation::read};
template <>
inline constexpr std::optional faults_operation<&fuse_lowlevel_ops::write>{Operation::write};
template <>
inline constexpr std::optional faults_operation<&fuse_lowlevel_ops::fsync>{
    Operation::request_fsync};
template <>
inline constexpr std::optional faults_operation<&fuse_lowlevel_ops::flush>{Operation::flush};
template <>
inline constexpr std::optional faults_operation<&fuse_lowlevel_ops::fallocate>{
    Operation::request_fallocate};
template <>
inline constexpr std::optional faults_operation<&fuse_lowlevel_ops::lseek>{Operation::lseek};
template <>
inline constexpr std::optional faults_operation<&fuse_lowlevel_ops::statfs>{Operation::statfs};
template <>
inline constexpr std::optional faults_operation<&fuse_lowlevel_ops::getxattr>{Operation::getxattr};
template <>
inline constexpr std::optional faults_operation<&fuse_lowlevel_ops::setxattr>{Operation::setxattr};
template <>
inline constexpr std::optional faults_operation<&fuse_lowlevel_ops::listxattr>{
    Operation::listxattr};
template <>
inline constexpr std::optional faults_operation<&fuse_lowlevel_ops::removexattr>{
    Operation::removexattr};
template <>
inline constexpr std::optional faults_operation<&fuse_lowlevel_ops::opendir>{Operation::opendir};
template <>
inline constexpr std::optional faults_operation<&fuse_lowlevel_ops::readdir>{Operation::readdir};
template <>
inline constexpr std::optional faults_operation<&fuse_lowlevel_ops::readdirplus>{
    Operation::readdir};
template <>
inline constexpr std::optional faults_operation<&fuse_lowlevel_ops::fsyncdir>{Operation::fsyncdir};

/// A request as rules see it.
struct StruckRequest {
    Operation operation;
    /// The inodes that the request concerns, each with a name in it if it concerns that; 0: no
    /// more.
    struct Place {
        fuse_ino_t inode = 0;
        const char* name = nullptr;
    };
    std::array<Place, 2> places{};
    const char* data = nullptr; ///< of a write: `size` bytes
    std::size_t size = 0;       ///< of a read, write or fallocate
    off_t offset = 0;
    int mode = 0;                    ///< of a fallocate
    std::optional<off_t> new_size{}; ///< of a setattr that truncates
    const fuse_file_info* info = nullptr;
};

/// The effect of the rules on a request.
struct Verdict {
    /// The request gets this answer, which may be an errno; its handler is not called.
    std::optional<Answer> answer{};
    /// The request is served as usual, but for at most so many bytes.
    std::optional<std::size_t> at_most{};
};

/// Applies the rules, and waits as long as they say. Throws what they throw.
Verdict strike(fuse_req_t req, StruckRequest request);

namespace detail {

/// The arguments of a request of this kind, as rules see them.
template <auto member, std::size_t... inodes, std::size_t... names, typename... Given>
StruckRequest describe(std::index_sequence<inodes...> /*its inodes*/,
                       std::index_sequence<names...> /*directories with a name behind them*/,
                       const std::tuple<Given...>& given) {
    StruckRequest request{.operation = *faults_operation<member>};
    std::size_t next = 0;
    if constexpr (sizeof...(names) != 0) {
        ((request.places[next++] = {std::get<names>(given), std::get<names + 1>(given)}), ...);
    } else {
        ((request.places[next++] = {std::get<inodes>(given), nullptr}), ...);
    }
    if constexpr (faults_operation<member> == Operation::lookup) {
        request.places[0].name = std::get<1>(given);
    } else if constexpr (faults_operation<member> == Operation::read) {
        request.size = std::get<1>(given);
        request.offset = std::get<2>(given);
        request.info = std::get<3>(given);
    } else if constexpr (faults_operation<member> == Operation::write) {
        request.data = std::get<1>(given);
        request.size = std::get<2>(given);
        request.offset = std::get<3>(given);
        request.info = std::get<4>(given);
    } else if constexpr (faults_operation<member> == Operation::setattr) {
        if ((std::get<2>(given) & FUSE_SET_ATTR_SIZE) != 0) {
            request.new_size = std::get<1>(given)->st_size;
        }
    } else if constexpr (faults_operation<member> == Operation::request_fallocate) {
        request.mode = std::get<1>(given);
        request.offset = std::get<2>(given);
        request.size = static_cast<std::size_t>(std::get<3>(given));
    }
    return request;
}

/// Limits the request to so many bytes.
template <auto member, typename... Given>
void cut_to(std::size_t at_most, std::tuple<Given...>& given) {
    if constexpr (faults_operation<member> == Operation::read) {
        std::get<1>(given) = at_most;
    } else if constexpr (faults_operation<member> == Operation::write) {
        std::get<2>(given) = at_most;
    }
}

} // namespace detail
} // namespace partialfs::fuse
