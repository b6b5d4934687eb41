#include "tools/vmmodel/show/describe.hpp"

namespace vmmodel {

namespace {

using partialfs::model::BlockInPage;

std::size_t at(int index) {
    return static_cast<std::size_t>(index);
}

BlockInPage block_at(int block) {
    return BlockInPage{static_cast<std::uint8_t>(block)};
}

/// "page 1, " where there are two pages.
std::string page_prefix(const Transition& step, const Bounds& bounds) {
    return bounds.pages > 1 ? "page " + std::to_string(step.page) + ", " : std::string{};
}

std::string whose_pte(const Transition& step, const Bounds& bounds) {
    return bounds.processes > 1 ? "process " + std::to_string(step.detail) + "'s PTE" : "the PTE";
}

} // namespace

std::string name_of(Who who, const Bounds& bounds) {
    switch (who) {
    case Who::process_0:
        return bounds.processes > 1 ? "process 0" : "process";
    case Who::process_1:
        return "process 1";
    case Who::writeback:
        return "writeback";
    case Who::kjournald:
        return "kjournald";
    case Who::reclaim:
        return "reclaim";
    case Who::disk:
        break;
    }
    return "disk";
}

std::string_view name_of(Harm harm) {
    switch (harm) {
    case Harm::none:
        return "none";
    case Harm::lost:
        return "lost";
    case Harm::fsync_not_durable:
        return "fsync not durable";
    case Harm::msync_not_durable:
        break;
    }
    return "msync not durable";
}

std::string_view sentence_of(Harm harm) {
    switch (harm) {
    case Harm::none:
        return "no store is harmed";
    case Harm::lost:
        return "a store is lost: its page was evicted, and the disk never had it";
    case Harm::fsync_not_durable:
        return "fsync returned success, and a store made before it is not on disk";
    case Harm::msync_not_durable:
        break;
    }
    return "msync returned success, and a store made before it is not on disk";
}

std::string_view event_name(Step step) {
    switch (step) {
    case Step::store:
        return "store";
    case Step::write_copy:
        return "write(2)";
    case Step::commit_start:
        return "commit";
    case Step::lock_page:
        return "writepage";
    case Step::fsync:
        return "fsync";
    case Step::msync:
        return "msync";
    case Step::zap_pte:
        return "munmap";
    case Step::strip:
        return "pagevec_strip";
    case Step::truncate:
        return "truncate";
    default:
        return text_of(step).function;
    }
}

std::string list_of(const std::vector<Step>& events) {
    std::string text;
    for (const Step event : events) {
        text += (text.empty() ? "" : ", ") + std::string{event_name(event)};
    }
    return text;
}

std::string text_of(const Run::Taken& taken, const Bounds& bounds) {
    const Transition& step = taken.transition;
    const PageCell& cell = taken.after.pages[step.page];
    std::string text{text_of(step.step).function};
    const std::string page = page_prefix(step, bounds);
    switch (step.step) {
    case Step::store:
    case Step::write_copy:
        return text + ", " + page + "block " + std::to_string(step.detail) +
               " := " + letter_of(cell.memory(step.detail));
    case Step::write_commit:
    case Step::submit_data_buffer:
    case Step::truncate:
        return text + ", " + page + "block " + std::to_string(step.detail);
    case Step::page_mkclean_one:
    case Step::page_check_address:
    case Step::try_to_unmap:
        return text + ", " + page + whose_pte(step, bounds);
    case Step::fsync:
    case Step::msync:
    case Step::commit_start:
    case Step::sync_return:
        return text;
    default:
        return bounds.pages > 1 ? text + ", page " + std::to_string(step.page) : text;
    }
}

std::string_view meaning_of(const Run::Taken& taken, const State& before, const EraRules& era) {
    const Transition& step = taken.transition;
    const PageCell& was = before.pages[step.page];
    const PageCell& is = taken.after.pages[step.page];
    switch (step.step) {
    case Step::store:
        if (era.era == Era::linux_6_12_blockdev) {
            return is.fs.dirty.contains(block_at(step.detail)) ? "" : "the block is not marked";
        }
        if (!is.fs.dirty.contains(block_at(step.detail))) {
            return is.fs.page_dirty ? "no fault: nobody tells the filesystem"
                                    : "no fault: nobody is told";
        }
        return "";
    case Step::dirty_buffers:
        return "every block is dirty now";
    case Step::dirty_flag:
        return era.era == Era::linux_6_12_blockdev && is.fs.dirty == was.fs.dirty
                   ? "PG_dirty alone: no block is marked"
                   : "";
    case Step::submit_data_buffer:
        return was.fs.dirty == is.fs.dirty ? "clean already"
                                           : "written, called clean; PG_dirty stays";
    case Step::page_mkclean_one:
        if (!was.pte[step.detail].dirty()) {
            return "";
        }
        if (era.era == Era::linux_6_12_blockdev) {
            return "the PTE was dirty: the page will be, its blocks not";
        }
        return era.tells_filesystem ? "the PTE was dirty: the filesystem will be told"
                                    : "the PTE was dirty; the filesystem is not told";
    case Step::page_check_address:
        return "passed over";
    case Step::writepage:
        if (is.io == was.io) {
            return "every block is clean: nothing is written";
        }
        return was.fs.dirty.count() < was.fs.allocated.count() ? "only the dirty blocks are written"
                                                               : "every block is written";
    case Step::zap_pte:
    case Step::try_to_unmap:
        return was.pte[step.step == Step::try_to_unmap ? step.detail
                                                       : static_cast<std::uint8_t>(step.who)]
                       .dirty()
                   ? "the PTE was dirty: its bit moves to the page"
                   : "";
    case Step::sync_skip:
        return "nothing to write";
    case Step::sync_return:
        return taken.harm != Harm::none ? "success, and the disk has not got it" : "";
    case Step::evict:
        return taken.harm == Harm::lost ? "memory and disk differ: gone for good" : "";
    default:
        return "";
    }
}

char letter_of(unsigned version) {
    return version == 0 ? '.' : static_cast<char>('A' + version - 1);
}

std::string pte_text(const PageCell& cell, int process) {
    const Pte pte = cell.pte[at(process)];
    if (!pte.present()) {
        return "-";
    }
    return std::string{pte.writable() ? "rw" : "r"} + (pte.dirty() ? "d" : "");
}

bool page_locked(const State& state, int page) {
    return holds_page_lock(state.writeback, page) ||
           holds_page_lock(state.processes[0].actor, page) ||
           holds_page_lock(state.processes[1].actor, page);
}

std::string flags_text(const State& state, int page) {
    const PageCell& cell = state.pages[at(page)];
    std::string text;
    text += cell.fs.page_dirty ? "D" : "";
    text += cell.writeback != 0 ? "W" : "";
    text += page_locked(state, page) ? "L" : "";
    return text.empty() ? "-" : text;
}

std::string blocks_text(const PageCell& cell, int blocks) {
    std::string text;
    for (int block = 0; block < blocks; ++block) {
        const BlockInPage b = block_at(block);
        if (cell.committing.contains(b)) {
            text += 'c';
        } else if (cell.fs.dirty.contains(b)) {
            text += cell.fs.ordered.contains(b) ? 'x' : 'd';
        } else if (cell.io.contains(b)) {
            text += '~';
        } else {
            text += cell.fs.ordered.contains(b) ? 'o' : '-';
        }
    }
    return text;
}

std::string memory_text(const PageCell& cell, int blocks) {
    if (cell.cached == 0) {
        return std::string(at(blocks), ' ');
    }
    std::string text;
    for (int block = 0; block < blocks; ++block) {
        text += letter_of(cell.memory(block));
    }
    return text;
}

std::string disk_text(const PageCell& cell, int blocks) {
    std::string text;
    for (int block = 0; block < blocks; ++block) {
        text += letter_of(cell.disk(block));
    }
    return text;
}

} // namespace vmmodel
