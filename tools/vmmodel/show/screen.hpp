// A frame drawn for a terminal: pure, so that it can be tested without one.
#pragma once

#include "tools/vmmodel/show/frame.hpp"

#include <string>
#include <vector>

namespace vmmodel {

struct ScreenSize {
    int columns = 80;
    int rows = 24;
};

/// The lines of one screen, without line ends, with colours as escape sequences if `colour`. Never
/// more than `size.rows`, never wider than `size.columns`.
std::vector<std::string> draw(const Film& film, std::size_t frame, ScreenSize size, bool colour);

/// How many columns a line takes, escape sequences and the bytes of UTF-8 left out.
std::size_t columns_of(const std::string& line);

} // namespace vmmodel
