// Symmetry: states that differ only in the names of processes, pages and blocks count as one.
#include "tools/vmmodel/machine/machine.hpp"

#include <utility>

namespace vmmodel {

using partialfs::model::BlockMask;

namespace {

using Order = std::array<std::uint8_t, kMaxBlocks>;

BlockMask permuted(BlockMask mask, const Order& order, int blocks) {
    unsigned bits = 0;
    for (int i = 0; i < blocks; ++i) {
        bits |= (static_cast<unsigned>(mask.bits()) >> order[static_cast<std::size_t>(i)] & 1U)
                << static_cast<unsigned>(i);
    }
    return BlockMask{static_cast<std::uint8_t>(bits)};
}

bool names_block(const Actor& actor, int page) {
    return actor.page == page && actor.at >= At::fault_wait && actor.at <= At::write_commit;
}

unsigned bit_of(BlockMask mask, int block) {
    return static_cast<unsigned>(mask.bits()) >> static_cast<unsigned>(block) & 1U;
}

/// The whole state of one block, as a number.
std::uint32_t key_of(const State& state, int page, int block) {
    const PageCell& cell = state.pages[static_cast<std::size_t>(page)];
    std::uint32_t key = cell.versions[static_cast<std::size_t>(block)];
    for (const BlockMask mask : {cell.fs.dirty, cell.fs.ordered, cell.fs.mapped, cell.fs.allocated,
                                 cell.committing, cell.io, cell.unsettled}) {
        key = key << 1U | bit_of(mask, block);
    }
    for (const Process& process : state.processes) {
        key = key << 4U | process.owes(page, block);
        key = key << 1U | static_cast<unsigned>(names_block(process.actor, page) &&
                                                process.actor.block == block);
    }
    return key;
}

void apply(State& state, int page, const Order& order, int blocks) {
    PageCell& cell = state.pages[static_cast<std::size_t>(page)];
    for (BlockMask* mask : {&cell.fs.dirty, &cell.fs.ordered, &cell.fs.mapped, &cell.fs.allocated,
                            &cell.committing, &cell.io, &cell.unsettled}) {
        *mask = permuted(*mask, order, blocks);
    }
    const auto versions = cell.versions;
    const auto processes = state.processes;
    for (int i = 0; i < blocks; ++i) {
        const int from = order[static_cast<std::size_t>(i)];
        cell.versions[static_cast<std::size_t>(i)] = versions[static_cast<std::size_t>(from)];
        for (std::size_t p = 0; p < processes.size(); ++p) {
            state.processes[p].owe(page, i, processes[p].owes(page, from));
            if (names_block(processes[p].actor, page) && processes[p].actor.block == from) {
                state.processes[p].actor.block = static_cast<std::uint8_t>(i);
            }
        }
    }
}

void swap_processes(State& state) {
    std::swap(state.processes[0], state.processes[1]);
    for (PageCell& cell : state.pages) {
        std::swap(cell.pte[0], cell.pte[1]);
    }
    const auto swap_ptes = [](Actor& actor) {
        const unsigned ptes = actor.flags & Actor::kPtes;
        actor.flags = static_cast<std::uint8_t>((actor.flags & ~unsigned{Actor::kPtes}) |
                                                (ptes >> 1U & 1U) | (ptes & 1U) << 1U);
    };
    swap_ptes(state.processes[0].actor);
    swap_ptes(state.processes[1].actor);
    swap_ptes(state.writeback);
}

void swap_pages(State& state) {
    std::swap(state.pages[0], state.pages[1]);
    const auto swap_page = [](Actor& actor, bool names_page) {
        if (names_page) {
            actor.page ^= 1U;
        }
        const unsigned pages = (actor.flags & Actor::kPages) >> Actor::kPagesShift;
        actor.flags = static_cast<std::uint8_t>((actor.flags & ~unsigned{Actor::kPages}) |
                                                ((pages >> 1U & 1U) | (pages & 1U) << 1U)
                                                    << Actor::kPagesShift);
    };
    for (Process& process : state.processes) {
        const At at = process.actor.at;
        swap_page(process.actor, at != At::idle && at != At::sync_next);
        std::swap(process.owed[0], process.owed[2]);
        std::swap(process.owed[1], process.owed[3]);
    }
    swap_page(state.writeback, state.writeback.at != At::idle);
}

bool less(const State& a, const State& b) {
    return std::memcmp(static_cast<const void*>(&a), &b, sizeof(State)) < 0;
}

} // namespace

void Machine::sort_blocks(State& state, int page) const {
    const int blocks = bounds_.blocks;
    std::array<std::uint32_t, kMaxBlocks> keys{};
    bool sorted = true;
    for (int i = 0; i < blocks; ++i) {
        keys[static_cast<std::size_t>(i)] = key_of(state, page, i);
        sorted = sorted && (i == 0 || keys[static_cast<std::size_t>(i - 1)] >=
                                          keys[static_cast<std::size_t>(i)]);
    }
    if (sorted) {
        return;
    }
    Order order{0, 1, 2, 3};
    // By insertion: there are four at most, and equal ones must keep their order.
    for (std::size_t i = 1; i < static_cast<std::size_t>(blocks); ++i) {
        for (std::size_t j = i; j > 0 && keys[order[j - 1]] < keys[order[j]]; --j) {
            std::swap(order[j - 1], order[j]);
        }
    }
    apply(state, page, order, blocks);
}

State Machine::canonical(const State& state) const {
    // A truncation treats the last block and the last page differently from the others.
    const bool blocks_alike = bounds_.events[static_cast<std::size_t>(Event::truncate)] == 0;
    const auto sort = [&](State& one) {
        for (int page = 0; page < bounds_.pages && blocks_alike; ++page) {
            sort_blocks(one, page);
        }
    };
    State best = state;
    sort(best);
    State variant = state;
    for (int i = 1; i < 4; ++i) {
        const bool swap_process = bounds_.processes == 2 && (i & 1) != 0;
        const bool swap_page = bounds_.pages == 2 && blocks_alike && (i & 2) != 0;
        if (swap_process != ((i & 1) != 0) || swap_page != ((i & 2) != 0)) {
            continue;
        }
        variant = state;
        if (swap_process) {
            swap_processes(variant);
        }
        if (swap_page) {
            swap_pages(variant);
        }
        sort(variant);
        if (less(variant, best)) {
            best = variant;
        }
    }
    return best;
}

} // namespace vmmodel
