#include "fusefs/model/contract.hpp"

namespace partialfs::model {

std::optional<Contract> contract_from(std::string_view name) {
    for (const Contract contract : {Contract::linux_2_6_19, Contract::linux_2_6_20}) {
        if (name == name_of(contract)) {
            return contract;
        }
    }
    return std::nullopt;
}

std::string_view name_of(Contract contract) {
    return contract == Contract::linux_2_6_19 ? "linux-2.6.19" : "linux-2.6.20";
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
