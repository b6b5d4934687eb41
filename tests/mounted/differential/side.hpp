// The two sides of a comparison: each object exists once on the mount and once in a plain
// directory.
#pragma once

#include <array>

namespace partialfs::differential {

enum class Side { mounted, plain };
/// The order in which the sides carry out an operation.
constexpr std::array kSides{Side::mounted, Side::plain};

template <typename Thing>
struct Both {
    Thing mounted{};
    Thing plain{};

    [[nodiscard]] Thing& operator[](Side side) { return side == Side::mounted ? mounted : plain; }
    [[nodiscard]] const Thing& operator[](Side side) const {
        return side == Side::mounted ? mounted : plain;
    }
};

/// The results of `make` for both sides.
template <typename Make>
auto for_both(const Make& make) {
    Both<decltype(make(Side::mounted))> both;
    for (const Side side : kSides) {
        both[side] = make(side);
    }
    return both;
}

} // namespace partialfs::differential
