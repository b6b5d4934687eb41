#include "fusefs/model/contract.hpp"

namespace partialfs::model {

namespace {

constexpr bool rows_are_in_order() {
    for (std::size_t i = 0; i < kContracts.size(); ++i) {
        if (kContracts[i].contract != static_cast<Contract>(i)) {
            return false;
        }
    }
    return true;
}
static_assert(rows_are_in_order(), "row_of() takes the enumerator for the index");

} // namespace

std::optional<Contract> contract_from(std::string_view name) {
    for (const ContractRow& row : kContracts) {
        if (name == row.name) {
            return row.contract;
        }
    }
    return std::nullopt;
}

std::string_view name_of(Contract contract) {
    return row_of(contract).name;
}

std::string contract_names() {
    std::string names;
    for (std::size_t i = 0; i < kContracts.size(); ++i) {
        const bool last = i + 1 == kContracts.size();
        names += i == 0 ? "" : last ? " or " : ", ";
        names += kContracts[i].name;
    }
    return names;
}

std::optional<FlushPolicy> flush_policy_from(std::string_view name) {
    for (const FlushPolicy policy : {FlushPolicy::eager, FlushPolicy::ext3}) {
        if (name == name_of(policy)) {
            return policy;
        }
    }
    return std::nullopt;
}

std::string_view name_of(FlushPolicy policy) {
    return policy == FlushPolicy::eager ? "eager" : "ext3";
}

} // namespace partialfs::model
