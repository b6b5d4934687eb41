#include "tools/schedule/op_walker.hpp"

namespace mmapstress {

OpWalker::OpWalker(std::unique_ptr<OpSource> source)
    : source_(std::move(source)), checker_(source_->header()) {
    for (const Op& op : source_->header().start_writes) {
        if (auto reason = checker_.check(op); reason && !error_) {
            error_ = "operation " + std::to_string(op.id.value) + ": " + *reason;
        }
    }
}

const Op* OpWalker::next() {
    if (error_) {
        return nullptr;
    }
    while (at_ == batch_.size()) {
        batch_.clear();
        at_ = 0;
        if (!source_->more(batch_)) {
            return nullptr;
        }
    }
    Op& op = batch_[at_++];
    if (op.kind == OpKind::append && op.file.value < source_->header().files.size()) {
        op.offset = ByteOffset{checker_.size(op.file).value};
    }
    if (auto reason = checker_.check(op)) {
        error_ = "operation " + std::to_string(op.id.value) + " (" +
                 std::string(traits_of(op.kind).name) + "): " + *reason;
        return nullptr;
    }
    return &op;
}

} // namespace mmapstress
