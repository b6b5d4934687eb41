// A search's outcome as a table for people, JSON, a Graphviz graph or a picture.
#pragma once

#include "fusefs/base/colour.hpp"
#include "tools/vmmodel/explore/search.hpp"

#include <string>

namespace vmmodel {

enum class Format : std::uint8_t { table, json, dot, svg };

/// The run, a line a step: who did what, and what PTE, page, blocks, memory and disk are then.
std::string run_table(const Run& run, const Search& search);
/// What was found, or that nothing can be found, with the counts.
std::string search_text(const Search& search, const partialfs::base::Colours& colours = {});
std::string search_json(const Search& search);
std::string search_dot(const Search& search);
/// A picture of the first run found; if there is none, a picture of a text that says so.
std::string search_svg(const Search& search);

/// `colours` are for the table alone.
std::string rendered(const Search& search, Format format,
                     const partialfs::base::Colours& colours = {});

/// Every era by every filesystem, a line each, and what the columns mean.
std::string era_table(const std::vector<Search>& searches,
                      const partialfs::base::Colours& colours = {});
std::string era_table_json(const std::vector<Search>& searches);
/// The same in Markdown.
std::string era_table_markdown(const std::vector<Search>& searches);

} // namespace vmmodel
