#include "tools/vmmodel/machine.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace vmmodel {

namespace model = partialfs::model;
using model::BlockInPage;
using model::BlockMask;
using model::PageState;

namespace {

constexpr std::array<StepText, kSteps> kTexts{{
    {Step::store, "store instruction", "the processor"},
    {Step::do_no_page, "do_no_page", "mm/memory.c"},
    {Step::do_wp_page, "do_wp_page", "mm/memory.c"},
    {Step::wait_on_page_locked, "wait_on_page_locked", "mm/memory.c, 79352894b285"},
    {Step::dirty_buffers, "__set_page_dirty_buffers", "fs/buffer.c"},
    {Step::dirty_flag, "TestSetPageDirty", "fs/buffer.c"},
    {Step::write_copy, "write(2): copy", "mm/filemap.c"},
    {Step::write_commit, "write(2): ->commit_write", "fs/ext3/inode.c"},
    {Step::zap_pte, "zap_pte_range", "mm/memory.c"},
    {Step::truncate, "truncate_inode_page", "mm/truncate.c, fs/ext3/inode.c"},
    {Step::fsync, "fsync(2): filemap_fdatawrite", "fs/sync.c"},
    {Step::msync, "msync(2)", "mm/msync.c"},
    {Step::msync_pte, "msync_pte_range", "mm/msync.c"},
    {Step::sync_skip, "page not tagged dirty", "mm/page-writeback.c"},
    {Step::sync_return, "filemap_fdatawait; success", "mm/filemap.c"},
    {Step::lock_page, "lock_page, clear_page_dirty_for_io", "mm/page-writeback.c"},
    {Step::test_clear_page_dirty, "TestClearPageDirty", "mm/page-writeback.c"},
    {Step::page_mkclean_one, "page_mkclean_one", "mm/rmap.c"},
    {Step::page_check_address, "page_check_address: not present", "mm/rmap.c"},
    {Step::writepage, "->writepage", "fs/buffer.c"},
    {Step::commit_start, "journal_commit_transaction", "fs/jbd/commit.c"},
    {Step::submit_data_buffer, "journal_submit_data_buffers", "fs/jbd/commit.c"},
    {Step::end_io, "I/O done", "fs/buffer.c"},
    {Step::try_to_unmap, "try_to_unmap_one", "mm/rmap.c"},
    {Step::evict, "try_to_free_buffers, page freed", "mm/vmscan.c"},
    {Step::strip, "pagevec_strip: try_to_free_buffers", "mm/swap.c, fs/buffer.c"},
}};

constexpr bool in_order() {
    for (std::size_t i = 0; i < kSteps; ++i) {
        if (static_cast<std::size_t>(kTexts[i].step) != i) {
            return false;
        }
    }
    return true;
}
static_assert(in_order(), "the table must follow the enumeration");

model::BlockSize block_size_for(int blocks) {
    const std::uint64_t per_page = blocks == 3 ? 4 : static_cast<std::uint64_t>(blocks);
    const auto size = model::BlockSize::from_bytes(model::kPageSize / per_page);
    if (!size) {
        throw std::invalid_argument("no page has " + std::to_string(blocks) + " blocks");
    }
    return *size;
}

BlockMask one(int block) {
    return BlockMask::of(BlockInPage{static_cast<std::uint8_t>(block)});
}

std::size_t at(int index) {
    return static_cast<std::size_t>(index);
}

bool has(const std::array<std::uint8_t, kEvents>& left, Event event) {
    return left[static_cast<std::size_t>(event)] != 0;
}

} // namespace

const StepText& text_of(Step step) {
    return kTexts[static_cast<std::size_t>(step)];
}

Machine::Machine(Era era, Filesystem filesystem, const Bounds& bounds, Forgotten forgotten)
    : era_(rules_of(era)), filesystem_(rules_of(filesystem)), bounds_(bounds),
      block_size_(block_size_for(bounds.blocks)),
      within_(
          BlockMask{static_cast<std::uint8_t>((1U << static_cast<unsigned>(bounds.blocks)) - 1)}),
      forgotten_(forgotten) {}

State Machine::initial() const {
    State state;
    for (int page = 0; page < bounds_.pages; ++page) {
        state.pages[at(page)].fs.allocated = within_;
    }
    state.left = bounds_.events;
    return state;
}

/// Builds the successors of one state.
class Machine::Stepper {
  public:
    Stepper(const Machine& machine, const State& state, Successors& out)
        : m_(machine), s_(state), out_(out) {}

    void run() {
        if (!m_.bounds_.races && run_busy()) {
            return;
        }
        for (int process = 0; process < m_.bounds_.processes; ++process) {
            process_steps(process);
        }
        writeback_steps();
        for (int page = 0; page < m_.bounds_.pages; ++page) {
            kjournald_page(page);
            disk(page);
            reclaim(page);
        }
        commit_start();
    }

  private:
    /// Without races, whoever is in the middle of something finishes it first; only the disk works
    /// on. Returns whether somebody is.
    bool run_busy() {
        const bool committing = std::ranges::any_of(
            s_.pages, [](const PageCell& cell) { return !cell.committing.empty(); });
        bool busy = true;
        if (s_.processes[0].actor.at != At::idle) {
            process_steps(0);
        } else if (s_.processes[1].actor.at != At::idle) {
            process_steps(1);
        } else if (s_.writeback.at != At::idle) {
            writeback_steps();
        } else if (committing) {
            for (int page = 0; page < m_.bounds_.pages; ++page) {
                kjournald_page(page);
            }
        } else {
            busy = false;
        }
        for (int page = 0; page < m_.bounds_.pages && busy; ++page) {
            disk(page);
        }
        return busy;
    }

    /// A new successor: a copy of the state, to be changed.
    State& add(Step step, Who who, int page = 0, int detail = 0) {
        Successor& next = out_.all[out_.count++];
        next.transition = {step, who, static_cast<std::uint8_t>(page),
                           static_cast<std::uint8_t>(detail)};
        next.harm = Harm::none;
        next.state = s_;
        return next.state;
    }
    void harm(Harm harm) { out_.all[out_.count - 1].harm = harm; }
    [[nodiscard]] bool forgets(Step step) const { return (m_.forgotten_ & forget(step)) != 0; }

    static Who who_of(int process) { return process == 0 ? Who::process_0 : Who::process_1; }
    static Actor& actor_of(State& state, Who who) {
        return who == Who::writeback ? state.writeback
                                     : state.processes[who == Who::process_0 ? 0 : 1].actor;
    }
    static void spend(State& state, Event event) { --state.left[static_cast<std::size_t>(event)]; }
    [[nodiscard]] bool may(Event event) const { return has(s_.left, event); }

    [[nodiscard]] bool locked(int page) const {
        return holds_page_lock(s_.writeback, page) ||
               holds_page_lock(s_.processes[0].actor, page) ||
               holds_page_lock(s_.processes[1].actor, page);
    }
    [[nodiscard]] bool zapping(int process, int page) const {
        const Actor& actor = s_.processes[at(process)].actor;
        return actor.page == page && (actor.at == At::zap_buffers || actor.at == At::zap_flag);
    }
    [[nodiscard]] bool writing(int process, int page, int block) const {
        const Actor& actor = s_.processes[at(process)].actor;
        return actor.at == At::write_commit && actor.page == page && actor.block == block;
    }
    /// A thread holds a reference to the page, so that it cannot be freed.
    [[nodiscard]] bool referenced(int page) const {
        return std::ranges::any_of(s_.processes, [&](const Process& process) {
            return process.actor.page == page && process.actor.at >= At::fault_wait &&
                   process.actor.at <= At::zap_flag && process.actor.at != At::store_retry;
        });
    }

    /// What the filesystem does not look at need not tell states apart.
    void tidy(PageCell& cell) const {
        if (m_.filesystem_.flushes != model::FlushPolicy::ext3) {
            cell.fs.ordered = BlockMask{};
            cell.fs.mapped = BlockMask{};
        }
    }

    /// __set_page_dirty_buffers, first half: the buffers, under private_lock.
    void dirty_buffers(PageCell& cell) const {
        PageState told = cell.fs;
        set_page_dirty(told, m_.block_size_);
        told.dirty &= m_.within_; // blocks past the end of file are never written
        told.page_dirty = cell.fs.page_dirty;
        cell.fs = told;
    }
    static void dirty_flag(PageCell& cell) { cell.fs.page_dirty = true; }

    // --- processes ---------------------------------------------------------------------------

    void process_steps(int process) {
        const Actor& actor = s_.processes[at(process)].actor;
        const Who who = who_of(process);
        const int page = actor.page;
        switch (actor.at) {
        case At::idle:
            idle(process);
            break;
        case At::fault_wait:
            if (!locked(page) || forgets(Step::wait_on_page_locked)) {
                actor_of(add(Step::wait_on_page_locked, who, page), who).at = At::fault_buffers;
            }
            break;
        case At::fault_buffers:
            set_dirty_step(who, page, Step::dirty_buffers, At::fault_flag);
            break;
        case At::fault_flag:
            set_dirty_step(who, page, Step::dirty_flag, At::store_retry);
            break;
        case At::store_retry:
            store(process, page, actor.block, /*counts=*/false);
            break;
        case At::write_commit:
            write_commit(process);
            break;
        case At::zap_buffers:
            set_dirty_step(who, page, Step::dirty_buffers, At::zap_flag);
            break;
        case At::zap_flag:
            finish(set_dirty_step(who, page, Step::dirty_flag, At::idle), who);
            break;
        case At::sync_next:
            sync_next(process);
            break;
        default:
            writepage_steps(who, actor);
            break;
        }
    }

    /// The thread has nothing more to do: it forgets where it was.
    static void finish(State& state, Who who) { actor_of(state, who) = Actor{}; }

    State& set_dirty_step(Who who, int page, Step step, At next) {
        State& state = add(step, who, page);
        if (!forgets(step)) {
            if (step == Step::dirty_buffers) {
                dirty_buffers(state.pages[at(page)]);
            } else {
                dirty_flag(state.pages[at(page)]);
            }
        }
        actor_of(state, who).at = next;
        return state;
    }

    void idle(int process) {
        for (int page = 0; page < m_.bounds_.pages; ++page) {
            for (int block = 0; block < m_.bounds_.blocks; ++block) {
                if (may(Event::store)) {
                    store(process, page, block, /*counts=*/true);
                }
                if (may(Event::write)) {
                    write_copy(process, page, block);
                }
            }
            if (may(Event::unmap) && s_.pages[at(page)].pte[at(process)].present()) {
                zap(process, page);
            }
            if (may(Event::truncate)) {
                truncate(process, page);
            }
        }
        if (may(Event::fsync)) {
            begin_sync(process, Event::fsync);
        }
        if (may(Event::msync)) {
            begin_sync(process, Event::msync);
        }
    }

    /// The store instruction: it changes memory if the PTE is writable, else it faults, and will be
    /// tried again. Counted the first time.
    void store(int process, int page, int block, bool counts) {
        const PageCell& cell = s_.pages[at(page)];
        const Who who = who_of(process);
        if (cell.pte[at(process)].writable()) {
            State& state = add(Step::store, who, page, block);
            PageCell& changed = state.pages[at(page)];
            changed.set(block, changed.memory(block) + 1, changed.disk(block));
            changed.pte[at(process)].bits |= Pte::kDirty;
            if (counts) {
                spend(state, Event::store);
            }
            finish(state, who);
            return;
        }
        const bool present = cell.pte[at(process)].present();
        if (!cell.cached && locked(page)) {
            return; // the page is being read or written: filemap_nopage waits for its lock
        }
        if (!present && m_.era_.fault_locks_page && locked(page)) {
            return; // from 2.6.23 on, the PTE is installed under the page lock
        }
        const Step step = present ? Step::do_wp_page : Step::do_no_page;
        State& state = add(step, who, page, block);
        if (counts) {
            spend(state, Event::store);
        }
        PageCell& faulted = state.pages[at(page)];
        faulted.cached = 1; // read in if need be: memory has the disk's version since eviction
        if (!forgets(step)) {
            faulted.pte[at(process)].bits = Pte::kPresent | Pte::kWritable | Pte::kDirty;
        }
        At next = At::fault_buffers;
        if (!m_.era_.tracks_shared_dirty) {
            next = At::store_retry;
        } else if (m_.era_.fault_locks_page && present) {
            next = At::fault_wait;
        }
        actor_of(state, who) = {next, static_cast<std::uint8_t>(page),
                                static_cast<std::uint8_t>(block), 0};
    }

    /// write(2), with the page locked: bytes first, then ->commit_write.
    void write_copy(int process, int page, int block) {
        if (locked(page)) {
            return;
        }
        const Who who = who_of(process);
        State& state = add(Step::write_copy, who, page, block);
        PageCell& cell = state.pages[at(page)];
        cell.cached = 1;
        cell.set(block, cell.memory(block) + 1, cell.disk(block));
        spend(state, Event::write);
        actor_of(state, who) = {At::write_commit, static_cast<std::uint8_t>(page),
                                static_cast<std::uint8_t>(block), 0};
    }

    void write_commit(int process) {
        const Actor& actor = s_.processes[at(process)].actor;
        const int page = actor.page;
        const BlockMask touched = one(actor.block);
        if (!(s_.pages[at(page)].committing & touched).empty()) {
            return; // journal_dirty_data: the committing transaction has it written first
        }
        const Who who = who_of(process);
        State& state = add(Step::write_commit, who, page, actor.block);
        if (!forgets(Step::write_commit)) {
            PageCell& cell = state.pages[at(page)];
            explicit_write(cell.fs, touched);
            tidy(cell);
        }
        finish(state, who);
    }

    /// munmap (or exit, or madvise): the PTE is cleared, its dirty bit kept in a local variable.
    void zap(int process, int page) {
        const Who who = who_of(process);
        State& state = add(Step::zap_pte, who, page, process);
        Pte& pte = state.pages[at(page)].pte[at(process)];
        const bool dirty = pte.dirty();
        pte = Pte{};
        spend(state, Event::unmap);
        if (dirty && !forgets(Step::zap_pte)) {
            actor_of(state, who) = {At::zap_buffers, static_cast<std::uint8_t>(page), 0, 0};
        }
    }

    /// The file is cut off before the page's last block and made as long as before: that block's
    /// buffer loses all state while PG_dirty and the PTEs stay.
    void truncate(int process, int page) {
        if (locked(page) || page != m_.bounds_.pages - 1 || s_.pages[at(page)].writeback) {
            return;
        }
        const int block = m_.bounds_.blocks - 1;
        const BlockMask cut = one(block);
        if (block == 0 ||
            !((s_.pages[at(page)].io | s_.pages[at(page)].committing) & cut).empty()) {
            return; // cutting off all of the page would unmap it, which is another story
        }
        State& state = add(Step::truncate, who_of(process), page, block);
        PageCell& cell = state.pages[at(page)];
        if (!forgets(Step::truncate)) {
            truncate_inside(cell.fs, m_.within_ - cut, BlockMask{});
        }
        // Zeros, in memory and, as a hole, on disk.
        const unsigned version = cell.memory(block) + 1;
        cell.set(block, version, version);
        for (Process& syncing : state.processes) {
            if (syncing.owes(page, block) != 0) {
                syncing.owe(page, block, 0);
            }
        }
        spend(state, Event::truncate);
    }

    // --- fsync and msync ---------------------------------------------------------------------

    void begin_sync(int process, Event event) {
        const Who who = who_of(process);
        const bool msync = event == Event::msync;
        State& state = add(msync ? Step::msync : Step::fsync, who);
        Process& syncing = state.processes[at(process)];
        const unsigned pages = (1U << static_cast<unsigned>(m_.bounds_.pages)) - 1;
        for (int page = 0; page < m_.bounds_.pages; ++page) {
            PageCell& cell = state.pages[at(page)];
            // Before 2.6.19 what another process has stored and not msynced itself is not ours.
            const bool foreign = msync && !m_.era_.tracks_shared_dirty &&
                                 (cell.pte[at(1 - process)].dirty() || zapping(1 - process, page));
            for (int block = 0; block < m_.bounds_.blocks && !foreign; ++block) {
                // A write(2) that is still under way is not owed yet.
                const unsigned under_way = writing(1 - process, page, block) ? 1 : 0;
                syncing.owe(page, block, cell.memory(block) - under_way);
            }
            if (msync && !m_.era_.tracks_shared_dirty) {
                collect_dirty_bit(cell, process);
            }
        }
        syncing.actor = {At::sync_next, 0, 0,
                         static_cast<std::uint8_t>((pages << Actor::kPagesShift) |
                                                   (msync ? unsigned{Actor::kMsync} : 0U))};
        spend(state, event);
    }

    /// msync_pte_range: the dirty bit moves to the page, under the page table lock.
    void collect_dirty_bit(PageCell& cell, int process) const {
        Pte& pte = cell.pte[at(process)];
        if (pte.dirty() && !forgets(Step::msync_pte)) {
            pte.bits = static_cast<std::uint8_t>(pte.bits & ~Pte::kDirty);
            dirty_buffers(cell);
            dirty_flag(cell);
        }
    }

    void sync_next(int process) {
        const Actor& actor = s_.processes[at(process)].actor;
        const Who who = who_of(process);
        if ((actor.flags & Actor::kPages) == 0) {
            sync_return(process);
            return;
        }
        for (int page = 0; page < m_.bounds_.pages; ++page) {
            const unsigned bit = 1U << (static_cast<unsigned>(page) + Actor::kPagesShift);
            if ((actor.flags & bit) == 0 || locked(page)) {
                continue;
            }
            const PageCell& cell = s_.pages[at(page)];
            const auto rest = static_cast<std::uint8_t>(actor.flags & ~bit);
            if (!cell.fs.page_dirty) {
                actor_of(add(Step::sync_skip, who, page), who).flags = rest;
            } else if (!cell.writeback) {
                lock_page(who, page, rest);
            }
        }
    }

    /// Returns once nothing is under writeback any more, and only then is it judged.
    void sync_return(int process) {
        for (int page = 0; page < m_.bounds_.pages; ++page) {
            if (s_.pages[at(page)].writeback) {
                return;
            }
        }
        const Process& syncing = s_.processes[at(process)];
        const Who who = who_of(process);
        State& state = add(Step::sync_return, who);
        for (int page = 0; page < m_.bounds_.pages; ++page) {
            const PageCell& cell = s_.pages[at(page)];
            for (int block = 0; block < m_.bounds_.blocks; ++block) {
                const unsigned owed = syncing.owes(page, block);
                const bool arriving = !(cell.unsettled & one(block)).empty();
                if (cell.disk(block) < owed || (cell.disk(block) == owed && arriving)) {
                    harm((syncing.actor.flags & Actor::kMsync) != 0 ? Harm::msync_not_durable
                                                                    : Harm::fsync_not_durable);
                }
            }
        }
        state.processes[at(process)] = Process{};
    }

    // --- clear_page_dirty_for_io and ->writepage ---------------------------------------------

    void writeback_steps() {
        const Actor& actor = s_.writeback;
        if (actor.at != At::idle) {
            writepage_steps(Who::writeback, actor);
            return;
        }
        if (!may(Event::writepage)) {
            return;
        }
        for (int page = 0; page < m_.bounds_.pages; ++page) {
            const PageCell& cell = s_.pages[at(page)];
            if (cell.fs.page_dirty && !cell.writeback && !locked(page)) {
                spend(lock_page(Who::writeback, page, 0), Event::writepage);
            }
        }
    }

    State& lock_page(Who who, int page, std::uint8_t flags) {
        State& state = add(Step::lock_page, who, page);
        Actor& actor = actor_of(state, who);
        actor.page = static_cast<std::uint8_t>(page);
        actor.flags = flags;
        if (m_.era_.tells_filesystem) {
            actor.flags |= all_ptes();
            actor.at = At::wp_mkclean;
        } else {
            actor.at = At::wp_test_clear_first;
        }
        return state;
    }

    [[nodiscard]] std::uint8_t all_ptes() const {
        return static_cast<std::uint8_t>(((1U << static_cast<unsigned>(m_.bounds_.processes)) - 1)
                                         << Actor::kPtesShift);
    }

    void writepage_steps(Who who, const Actor& actor) {
        const int page = actor.page;
        switch (actor.at) {
        case At::wp_test_clear_first: {
            State& state = test_clear(who, page);
            Actor& next = actor_of(state, who);
            if (m_.era_.tracks_shared_dirty) {
                next.at = At::wp_mkclean;
                next.flags |= all_ptes();
            } else {
                next.at = At::wp_write;
            }
            break;
        }
        case At::wp_mkclean:
            mkclean(who, actor);
            break;
        case At::wp_dirty_buffers:
            set_dirty_step(who, page, Step::dirty_buffers, At::wp_dirty_flag);
            break;
        case At::wp_dirty_flag:
            set_dirty_step(who, page, Step::dirty_flag, At::wp_test_clear);
            break;
        case At::wp_test_clear:
            actor_of(test_clear(who, page), who).at = At::wp_write;
            break;
        case At::wp_write:
            writepage(who, page);
            break;
        default:
            break;
        }
    }

    State& test_clear(Who who, int page) {
        State& state = add(Step::test_clear_page_dirty, who, page);
        if (!forgets(Step::test_clear_page_dirty)) {
            // page_mkclean's half of the contract is a step of its own.
            clear_page_dirty_for_io(state.pages[at(page)].fs, model::Contract::linux_2_6_19,
                                    /*pte_was_dirty=*/false, m_.block_size_);
        }
        return state;
    }

    /// page_mkclean: the PTEs one after another, each under its page table lock.
    void mkclean(Who who, const Actor& actor) {
        for (int process = 0; process < m_.bounds_.processes; ++process) {
            const unsigned bit = 1U << (static_cast<unsigned>(process) + Actor::kPtesShift);
            if ((actor.flags & bit) == 0) {
                continue;
            }
            const Pte pte = s_.pages[at(actor.page)].pte[at(process)];
            if (zapping(process, actor.page) && m_.era_.mkclean_locks_pte) {
                continue; // waits for the page table lock
            }
            const bool cleans = pte.present() && (pte.dirty() || pte.writable());
            State& state = add(pte.present() ? Step::page_mkclean_one : Step::page_check_address,
                               who, actor.page, process);
            if (cleans && !forgets(Step::page_mkclean_one)) {
                state.pages[at(actor.page)].pte[at(process)].bits = Pte::kPresent;
                actor_of(state, who).flags |= Actor::kFoundDirty;
            }
            Actor& next = actor_of(state, who);
            next.flags = static_cast<std::uint8_t>(next.flags & ~bit);
            if ((next.flags & Actor::kPtes) == 0) {
                after_mkclean(next);
            }
        }
    }

    void after_mkclean(Actor& actor) const {
        const bool found = (actor.flags & Actor::kFoundDirty) != 0;
        actor.flags = static_cast<std::uint8_t>(actor.flags & ~unsigned{Actor::kFoundDirty});
        if (!m_.era_.tells_filesystem) {
            actor.at = At::wp_write;
        } else {
            actor.at = found ? At::wp_dirty_buffers : At::wp_test_clear;
        }
    }

    /// ->writepage, and unlock_page. lock_buffer waits for blocks that are on their way already.
    void writepage(Who who, int page) {
        if (!s_.pages[at(page)].io.empty()) {
            return;
        }
        State& state = add(Step::writepage, who, page);
        if (!forgets(Step::writepage)) {
            PageCell& cell = state.pages[at(page)];
            const model::WriteDecision decision = model::writepage(cell.fs, m_.within_);
            submit(cell, decision.written);
            cell.writeback = decision.written.empty() ? 0 : 1;
            // A buffer is on one transaction's list only: the running one's from now on.
            cell.committing -= m_.filesystem_.flushes == model::FlushPolicy::ext3
                                   ? cell.fs.ordered
                                   : decision.written;
            tidy(cell);
        }
        Actor& actor = actor_of(state, who);
        if (who == Who::writeback) {
            actor = Actor{};
        } else {
            actor.at = At::sync_next;
            actor.page = 0;
        }
    }

    /// The blocks' present bytes are what the disk will have.
    void submit(PageCell& cell, BlockMask blocks) const {
        for (int block = 0; block < m_.bounds_.blocks; ++block) {
            if ((blocks & one(block)).empty()) {
                continue;
            }
            if (cell.disk(block) != cell.memory(block)) {
                cell.unsettled |= one(block);
            }
            cell.set(block, cell.memory(block), cell.memory(block));
        }
        cell.io |= blocks;
    }

    // --- kjournald, the disk, reclaim --------------------------------------------------------

    /// The running transaction becomes the committing one. Counted even if it has no data.
    void commit_start() {
        if (!m_.filesystem_.flushes || !may(Event::commit)) {
            return;
        }
        bool any = false;
        for (int page = 0; page < m_.bounds_.pages; ++page) {
            const PageCell& cell = s_.pages[at(page)];
            if (!cell.committing.empty()) {
                return; // one commit at a time
            }
            any |= !flush_candidates(cell).empty();
        }
        if (!any) {
            return; // nothing to write: it changes nothing
        }
        State& state = add(Step::commit_start, Who::kjournald);
        for (int page = 0; page < m_.bounds_.pages; ++page) {
            PageCell& cell = state.pages[at(page)];
            cell.committing = flush_candidates(cell);
            cell.fs.ordered = BlockMask{};
        }
        spend(state, Event::commit);
    }

    [[nodiscard]] BlockMask flush_candidates(const PageCell& cell) const {
        return m_.filesystem_.flushes.value_or(model::FlushPolicy::eager) ==
                       model::FlushPolicy::ext3
                   ? cell.fs.ordered
                   : cell.fs.dirty & m_.within_;
    }

    void kjournald_page(int page) {
        const PageCell& cell = s_.pages[at(page)];
        for (int block = 0; block < m_.bounds_.blocks; ++block) {
            const BlockMask buffer = one(block);
            if ((cell.committing & buffer).empty() || !(cell.io & buffer).empty()) {
                continue; // lock_buffer waits
            }
            State& state = add(Step::submit_data_buffer, Who::kjournald, page, block);
            PageCell& flushed = state.pages[at(page)];
            flushed.committing -= buffer;
            if (!forgets(Step::submit_data_buffer)) {
                flush(flushed, buffer);
            }
        }
    }

    /// One buffer of the committing transaction, decided upon as if it were the only one.
    void flush(PageCell& cell, BlockMask buffer) const {
        PageState single = cell.fs;
        single.dirty &= buffer;
        single.ordered = buffer;
        const BlockMask written = ordered_flush(
            single, m_.filesystem_.flushes.value_or(model::FlushPolicy::eager), m_.within_);
        cell.fs.dirty -= written;
        cell.fs.mapped |= single.mapped & buffer;
        cell.fs.allocated |= single.allocated;
        submit(cell, written);
        tidy(cell);
    }

    void disk(int page) {
        const PageCell& cell = s_.pages[at(page)];
        if (cell.io.empty() && !cell.writeback) {
            return;
        }
        State& state = add(Step::end_io, Who::disk, page);
        state.pages[at(page)].io = BlockMask{};
        state.pages[at(page)].unsettled = BlockMask{};
        state.pages[at(page)].writeback = 0;
    }

    void reclaim(int page) {
        const PageCell& cell = s_.pages[at(page)];
        if (!cell.cached || locked(page) || cell.writeback) {
            return;
        }
        bool mapped = false;
        for (int process = 0; process < m_.bounds_.processes; ++process) {
            if (cell.pte[at(process)].present()) {
                mapped = true;
                try_to_unmap(process, page);
            }
        }
        if (!cell.io.empty() || !cell.fs.dirty.empty()) {
            return; // drop_buffers: a buffer is busy
        }
        if (may(Event::strip)) {
            strip(page);
        }
        if (!mapped && !cell.fs.page_dirty && !referenced(page) && cell.committing.empty()) {
            evict(page);
        }
    }

    /// try_to_unmap_one: under the page lock and the page table lock; nobody can be in between.
    void try_to_unmap(int process, int page) {
        State& state = add(Step::try_to_unmap, Who::reclaim, page, process);
        PageCell& cell = state.pages[at(page)];
        Pte& pte = cell.pte[at(process)];
        if (pte.dirty() && !forgets(Step::try_to_unmap)) {
            dirty_buffers(cell);
            dirty_flag(cell);
        }
        pte = Pte{};
    }

    void evict(int page) {
        State& state = add(Step::evict, Who::reclaim, page);
        PageCell& cell = state.pages[at(page)];
        for (int block = 0; block < m_.bounds_.blocks; ++block) {
            if (cell.memory(block) != cell.disk(block)) {
                harm(Harm::lost);
            }
            cell.set(block, cell.disk(block), cell.disk(block));
        }
        model::evict(cell.fs);
        cell.cached = 0;
    }

    /// Too many buffer heads: clean ones are freed, and the page is taken for clean as well. Only
    /// 2.6.19 cleans the PTEs on the way (test_clear_page_dirty); 2.6.20 leaves them dirty.
    void strip(int page) {
        State& state = add(Step::strip, Who::reclaim, page);
        PageCell& cell = state.pages[at(page)];
        spend(state, Event::strip);
        if (cell.fs.page_dirty && m_.era_.tracks_shared_dirty && !m_.era_.tells_filesystem) {
            for (Pte& pte : cell.pte) {
                pte.bits = static_cast<std::uint8_t>(pte.bits & Pte::kPresent);
            }
        }
        model::evict(cell.fs);
        cell.committing = BlockMask{};
    }

    const Machine& m_;
    const State& s_;
    Successors& out_;
};

void Machine::successors(const State& state, Successors& out) const {
    out.count = 0;
    Stepper(*this, state, out).run();
}

} // namespace vmmodel
