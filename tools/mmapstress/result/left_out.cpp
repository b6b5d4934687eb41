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
    switch (group) {
    case OpGroup::grow:
        return {{std::string(LeftOut::kSizeChanges), reason}};
    case OpGroup::past_eof:
        return {{std::string(traits_of(OpKind::past_eof_store).name), reason}};
    case OpGroup::gup:
        break;
    }
    const OpSet by_kernel = kinds_with(&OpTraits::by_kernel);
    std::vector<LeftOut> all;
    for (std::size_t i = 0; i < kOpKinds; ++i) {
        if (by_kernel[i]) {
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
