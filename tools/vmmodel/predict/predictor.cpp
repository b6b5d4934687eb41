#include "tools/vmmodel/predict/predictor.hpp"

namespace vmmodel {

bool Predictor::will_commit(InodeDirty dirty, std::optional<bool> commits) {
    if (!commits && dirty == InodeDirty::if_clock_moved) {
        note_doubt(
            "operation " + std::to_string(op_.value) +
            ": commits only if the last write(2) came a second after the one before; taken so "
            "(fchmod before fsync makes it certain)");
    }
    return commits.value_or(dirty != InodeDirty::no);
}

} // namespace vmmodel
