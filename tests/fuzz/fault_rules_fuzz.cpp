// Any text is either a list of fault rules, or an error with a line number and a reason. Rules
// survive printing and reading again.
#include "fusefs/faults/rule.hpp"

#include <cstdlib>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace partialfs::faults;
    const auto changes = parse_changes({reinterpret_cast<const char*>(data), size});
    if (!changes) {
        if (changes.error().number == 0 || changes.error().reason.empty()) {
            std::abort();
        }
        return 0;
    }
    std::string text;
    for (const Change& change : *changes) {
        text += (change.rule ? to_text(*change.rule) : "clear") + '\n';
    }
    const auto again = parse_changes(text);
    if (!again || *again != *changes) {
        std::abort();
    }
    return 0;
}
