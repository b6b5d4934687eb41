#include "tools/mmapstress/result/left_out.hpp"

#include <algorithm>

namespace mmapstress {

LeaveOut all_of(const std::vector<LeftOut>& left_out) {
    LeaveOut all;
    for (const LeftOut& one : left_out) {
        if (const auto kind = kind_named(one.operation)) {
            all.kinds |= only(*kind);
        }
        all.size_changes |= one.operation == LeftOut::kSizeChanges;
    }
    return all;
}

std::vector<LeftOut> all_in(OpGroup group, const std::string& reason) {
    OpSet kinds;
    switch (group) {
    case OpGroup::grow:
        return {{std::string(LeftOut::kSizeChanges), reason}};
    case OpGroup::past_eof:
        kinds = only(OpKind::past_eof_store);
        break;
    case OpGroup::punch:
        kinds = only(OpKind::punch) | only(OpKind::zero_range);
        break;
    case OpGroup::gup:
        kinds = kinds_with(&OpTraits::by_kernel);
        break;
    }
    std::vector<LeftOut> all;
    for (std::size_t i = 0; i < kOpKinds; ++i) {
        if (kinds[i]) {
            all.push_back({std::string(traits_of(static_cast<OpKind>(i)).name), reason});
        }
    }
    return all;
}

void add_left_out(std::vector<LeftOut>& all, const std::vector<LeftOut>& more) {
    for (const LeftOut& one : more) {
        if (std::ranges::find(all, one.operation, &LeftOut::operation) == all.end()) {
            all.push_back(one);
        }
    }
}

} // namespace mmapstress
