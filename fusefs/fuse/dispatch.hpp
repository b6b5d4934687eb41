// Dispatches every request to the handler for the control directory or for a file, and sends its
// answer.
//
// A handler enters fuse_lowlevel_ops only through serve(), which finds its arguments: where libfuse
// passes the number of an inode or of a handle, a handler may take the object itself. A request for
// the control directory goes to its control_handler<>, and is refused if there is none; so a kind
// of request that was forgotten is refused by construction. Rules of faults are applied before the
// handler for a file (request_faults.hpp).
#pragma once

#include "fusefs/base/exceptions.hpp"
#include "fusefs/fuse/control_requests.hpp"
#include "fusefs/fuse/libfuse.hpp"
#include "fusefs/fuse/open_handles.hpp"
#include "fusefs/fuse/passage.hpp"
#include "fusefs/fuse/reply.hpp"
#include "fusefs/fuse/request_faults.hpp"

#include <cerrno>
#include <concepts>
#include <cstddef>
#include <memory>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace partialfs::fuse {

/// The meaning of a request's arguments, counted after the fuse_req_t. Their types do not show it:
/// to the compiler a size_t is the same as the number of an inode.
template <std::size_t... positions>
using At = std::index_sequence<positions...>;
template <auto member>
struct Shape {
    using Inodes = At<0>;
    using NewNames = At<>; ///< directories; the next argument is a name that is added or removed
};
template <>
struct Shape<&fuse_lowlevel_ops::symlink> {
    using Inodes = At<1>;
    using NewNames = At<1>;
};
template <>
struct Shape<&fuse_lowlevel_ops::link> {
    using Inodes = At<0, 1>;
    using NewNames = At<1>;
};
template <>
struct Shape<&fuse_lowlevel_ops::rename> {
    using Inodes = At<0, 2>;
    using NewNames = At<0, 2>;
};
template <>
struct Shape<&fuse_lowlevel_ops::copy_file_range> {
    using Inodes = At<0, 3>;
    using NewNames = At<>;
};
/// The requests that begin with a directory and a name in it.
struct NamesFirst {
    using Inodes = At<0>;
    using NewNames = At<0>;
};
template <>
struct Shape<&fuse_lowlevel_ops::mknod> : NamesFirst {};
template <>
struct Shape<&fuse_lowlevel_ops::mkdir> : NamesFirst {};
template <>
struct Shape<&fuse_lowlevel_ops::create> : NamesFirst {};
template <>
struct Shape<&fuse_lowlevel_ops::unlink> : NamesFirst {};
template <>
struct Shape<&fuse_lowlevel_ops::rmdir> : NamesFirst {};

/// Which requests are served while the power is off: those that close a handle, write (which checks
/// the power itself), and those that lead to the control directory.
template <auto member>
struct WithoutPower {
    static bool serves(const auto&... /*given*/) { return false; }
};
struct AlwaysServed {
    static bool serves(const auto&... /*given*/) { return true; }
};
template <>
struct WithoutPower<&fuse_lowlevel_ops::release> : AlwaysServed {};
template <>
struct WithoutPower<&fuse_lowlevel_ops::releasedir> : AlwaysServed {};
template <>
struct WithoutPower<&fuse_lowlevel_ops::write> : AlwaysServed {};
template <>
struct WithoutPower<&fuse_lowlevel_ops::getattr> {
    static bool serves(fuse_ino_t number, const fuse_file_info* /*info*/) {
        return number == FUSE_ROOT_ID;
    }
};
template <>
struct WithoutPower<&fuse_lowlevel_ops::lookup> {
    static bool serves(fuse_ino_t parent, const char* name) {
        return is_control_name(parent, name);
    }
};

/// Counts a request for a cut that is armed with at=op. False: it must not be served.
inline bool counted(fuse_req_t req) {
    const Mount& mount = mount_of(req);
    return mount.context.power == nullptr || is_own_look(req) ||
           !CutMoment(mount, power::Moment::op, {}).refused();
}

namespace detail {

template <std::size_t... positions, typename... Given>
bool any_control(At<positions...> /*inodes*/, const std::tuple<Given...>& given) {
    static_assert(
        (std::same_as<std::tuple_element_t<positions, std::tuple<Given...>>, fuse_ino_t> && ...));
    return (is_control(std::get<positions>(given)) || ...);
}
/// Whether a name that is added or removed is the control directory's own.
template <std::size_t... positions, typename... Given>
bool any_control_name(At<positions...> /*directories*/, const std::tuple<Given...>& given) {
    return (is_control_name(std::get<positions>(given), std::get<positions + 1>(given)) || ...);
}

// Converts an argument of libfuse's to the one that the handler takes.
template <typename Wanted>
struct Argument {
    static Wanted find(Mount& /*mount*/, Wanted given) { return given; }
    static int missing(const Wanted& /*found*/) { return 0; }
};
template <>
struct Argument<std::shared_ptr<Inode>> {
    static std::shared_ptr<Inode> find(Mount& mount, fuse_ino_t number) {
        return mount.inodes.find(model::InodeId{number});
    }
    static int missing(const std::shared_ptr<Inode>& found) {
        return !found ? ESTALE : found->is_dead() ? EIO : 0;
    }
};
template <std::derived_from<OpenHandle> Handle>
struct Argument<std::shared_ptr<Handle>> {
    static std::shared_ptr<Handle> find(Mount& mount, const fuse_file_info* info) {
        return info == nullptr ? nullptr : mount.handles.find<Handle>(info->fh);
    }
    static int missing(const std::shared_ptr<Handle>& found) {
        return !found ? EBADF : found->is_dead() ? EIO : 0;
    }
};

/// Calls a handler with the arguments that it takes. ESTALE: there is no such inode (any more);
/// EBADF: no such handle.
template <typename Returned, typename... Wanted, typename... Given>
Answer call(Returned (*handler)(fuse_req_t, Wanted...), fuse_req_t req, Given... given) {
    std::tuple found{
        Argument<std::remove_cvref_t<Wanted>>::find(mount_of(req), std::move(given))...};
    return std::apply(
        [&](auto&... arguments) -> Answer {
            int missing = 0;
            ((missing = missing != 0 ? missing
                                     : Argument<std::remove_cvref_t<Wanted>>::missing(arguments)),
             ...);
            if (missing != 0) {
                return base::failed(missing);
            }
            if constexpr (std::is_void_v<Returned>) {
                handler(req, arguments...);
                return Later{};
            } else {
                return handler(req, arguments...);
            }
        },
        found);
}

/// The same, under the rules of faults.
template <auto member, typename Handler, typename... Given>
Answer call_with_faults(Handler handler, fuse_req_t req, std::tuple<Given...> given) {
    const Verdict verdict =
        strike(req, describe<member>(typename Shape<member>::Inodes{},
                                     typename Shape<member>::NewNames{}, given));
    if (verdict.answer) {
        return *verdict.answer;
    }
    if (verdict.at_most) {
        cut_to<member>(*verdict.at_most, given);
    }
    return std::apply([&](auto... now) { return call(handler, req, now...); }, given);
}

template <auto member, auto handler>
struct Route;
template <typename... Given, void (*fuse_lowlevel_ops::*member)(fuse_req_t, Given...), auto handler>
struct Route<member, handler> {
    static Answer with_faults(fuse_req_t req, const std::tuple<Given...>& all) {
        if constexpr (faults_operation<member>) {
            if (mount_of(req).faults.any(faults::Layer::request)) [[unlikely]] {
                return call_with_faults<member>(handler, req, all);
            }
        }
        return std::apply([&](auto... now) { return call(handler, req, now...); }, all);
    }
    static void serve(fuse_req_t req, Given... given) {
        // A handler that throws has not answered yet: it returns its answer, or sends it last.
        answer(req, base::without_exceptions([&]() -> Answer {
                   const std::tuple all{given...};
                   [[maybe_unused]] constexpr auto control = control_handler<member>;
                   if (any_control_name(typename Shape<member>::NewNames{}, all)) {
                       return base::failed(EPERM);
                   }
                   if (!any_control(typename Shape<member>::Inodes{}, all)) {
                       if (WithoutPower<member>::serves(given...)) {
                           return with_faults(req, all);
                       }
                       const Passage passage(mount_of(req));
                       if (passage.refused() || !counted(req)) {
                           return base::failed(EIO);
                       }
                       return with_faults(req, all);
                   }
                   if constexpr (std::is_same_v<std::remove_cv_t<decltype(control)>, Refused>) {
                       return base::failed(EPERM);
                   } else {
                       return call(control, req, given...);
                   }
               }));
    }
};

} // namespace detail

/// Enters `handler` into `ops`, for requests that are not the control directory's.
template <auto member, auto handler>
void serve(fuse_lowlevel_ops& ops) {
    ops.*member = detail::Route<member, handler>::serve;
}

} // namespace partialfs::fuse
