#include "tools/mmapstress/workloads/mood.hpp"

#include <array>
#include <cstddef>
#include <numeric>

namespace mmapstress {

namespace {

constexpr std::array kChoices{
    Choice{OpKind::store, 300, Shape::field},
    Choice{OpKind::store, 60, Shape::chunk},
    Choice{OpKind::fork_store, 3, Shape::chunk},
    Choice{OpKind::direct_read_store, 25, Shape::chunk},
    Choice{OpKind::uring_read_store, 15, Shape::chunk},
    Choice{OpKind::uring_fixed_store, 5, Shape::chunk},
    Choice{OpKind::vm_write_store, 3, Shape::chunk},
    Choice{OpKind::read_store, 10, Shape::chunk},
    Choice{OpKind::recvmsg_store, 10, Shape::chunk},
    Choice{OpKind::past_eof_store, 10, Shape::past_eof},
    Choice{OpKind::write, 60, Shape::field},
    Choice{OpKind::write, 10, Shape::bulk},
    Choice{OpKind::write, 10, Shape::longer},
    Choice{OpKind::append, 15, Shape::longer},
    Choice{OpKind::dontcache_write, 20, Shape::chunk},
    Choice{OpKind::direct_write, 15, Shape::chunk},
    Choice{OpKind::truncate, 25, Shape::size},
    Choice{OpKind::punch, 12, Shape::chunk},
    Choice{OpKind::zero_range, 12, Shape::chunk},
    Choice{OpKind::collapse, 3, Shape::cut},
    Choice{OpKind::insert, 3, Shape::gap},
    Choice{OpKind::copy, 8, Shape::other},
    Choice{OpKind::clone, 6, Shape::other},
    Choice{OpKind::clone_file, 3, Shape::twin},
    Choice{OpKind::fsync, 15, Shape::whole},
    Choice{OpKind::fdatasync, 15, Shape::whole},
    Choice{OpKind::msync, 10, Shape::part},
    Choice{OpKind::msync_async, 15, Shape::part},
    Choice{OpKind::sync_file_range, 15, Shape::pages},
    Choice{OpKind::start_writeback, 40, Shape::pages},
    Choice{OpKind::commit, 15, Shape::nothing},
    Choice{OpKind::sync, 2, Shape::nothing},
    Choice{OpKind::fchmod, 5, Shape::whole},
    Choice{OpKind::map, 3, Shape::mapping},
    Choice{OpKind::unmap, 3, Shape::mapping},
    Choice{OpKind::remap, 3, Shape::mapping},
    Choice{OpKind::mremap, 4, Shape::mapping},
    Choice{OpKind::mprotect, 4, Shape::mapping},
    Choice{OpKind::madvise_dontneed, 10, Shape::pages},
    Choice{OpKind::madvise_pageout, 6, Shape::pages},
    Choice{OpKind::madvise_cold, 6, Shape::pages},
    Choice{OpKind::read_fault, 30, Shape::field},
    Choice{OpKind::drop_pages, 6, Shape::whole},
    Choice{OpKind::evict, 2, Shape::whole},
    Choice{OpKind::read_check, 4, Shape::part},
    Choice{OpKind::live_check, 4, Shape::part},
    Choice{OpKind::direct_read_check, 2, Shape::part},
    Choice{OpKind::pause, 3, Shape::wait},
};

} // namespace

Mood::Mood(Dice& dice) : weights_(kChoices.size()) {
    if (dice.below(2) == 0) {
        choose_factors(dice);
    } else {
        choose_few(dice);
    }
    all_ = std::accumulate(weights_.begin(), weights_.end(), 0U);
}

void Mood::choose_factors(Dice& dice) {
    constexpr std::array<unsigned, 4> kFactors{0, 0, 1, 10};
    for (std::size_t i = 0; i < kChoices.size(); ++i) {
        weights_[i] = kChoices.at(i).weight * dice.pick(kFactors);
    }
    weights_.front() = kChoices.front().weight;
}

void Mood::choose_few(Dice& dice) {
    constexpr unsigned kFew = 5;
    weights_.front() = 1;
    for (unsigned i = 0; i < kFew; ++i) {
        ++weights_[dice.below(weights_.size())];
    }
}

const Choice& Mood::choose(Dice& dice) const {
    std::uint64_t die = dice.below(all_);
    std::size_t i = 0;
    while (die >= weights_[i]) {
        die -= weights_[i];
        ++i;
    }
    return kChoices.at(i);
}

} // namespace mmapstress
