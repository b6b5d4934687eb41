// The whole ledger as text, for tests.
#pragma once

#include "fusefs/file/ledger_book.hpp"
#include "fusefs/file/ledger_reader.hpp"

#include <string>

namespace partialfs::file {

inline std::string text_of(const LedgerBook& ledger) {
    return LedgerReader(ledger).read(0, std::size_t{1} << 40U);
}

} // namespace partialfs::file
