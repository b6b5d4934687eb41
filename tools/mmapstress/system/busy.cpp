#include "tools/mmapstress/system/busy.hpp"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <ctime>

namespace mmapstress {

namespace {

/// More threads than these are not watched.
constexpr std::size_t kSlots = 4096;

std::uint64_t now() {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1000000000U +
           static_cast<std::uint64_t>(time.tv_nsec);
}

/// Activity, kind and file in one number; 0 is idle.
std::uint64_t packed(Activity activity, OpKind kind, FileIndex file) {
    return static_cast<std::uint64_t>(activity) | static_cast<std::uint64_t>(kind) << 8U |
           std::uint64_t{file.value} << 32U;
}

BusyBoard* the_board = nullptr;

} // namespace

struct alignas(64) BusyBoard::Slot {
    std::atomic<std::uint64_t> begun;
    std::atomic<std::uint64_t> what; ///< packed()
    std::atomic<std::uint64_t> op;
    std::atomic<int> process;
    std::atomic<int> thread; ///< 0: the slot is free
};

struct BusyBoard::Memory {
    std::atomic<bool> stop;
    std::array<Slot, kSlots> slots;
};

namespace {

/// The calling thread's slot, given back when the thread ends.
struct OwnSlot {
    std::atomic<int>* thread = nullptr; ///< of the slot
    void* slot = nullptr;
    bool asked = false;

    OwnSlot() = default;
    OwnSlot(const OwnSlot&) = delete;
    OwnSlot& operator=(const OwnSlot&) = delete;
    OwnSlot(OwnSlot&&) = delete;
    OwnSlot& operator=(OwnSlot&&) = delete;
    ~OwnSlot() {
        if (thread != nullptr) {
            *thread = 0;
        }
    }

    /// Claims a slot anew next time, and does not free the present one: in a child it is the
    /// parent's.
    void forget() {
        thread = nullptr;
        slot = nullptr;
        asked = false;
    }
};

thread_local OwnSlot own;

} // namespace

std::string BusyThread::words() const {
    if (activity == Activity::operation) {
        const OpTraits& traits = traits_of(kind);
        return "operation " + std::to_string(op.value) + " (" + std::string(traits.name) +
               (traits.has_file ? " on file " + std::to_string(file.value) : "") + ")";
    }
    return std::string(name_of(activity)) + " file " + std::to_string(file.value);
}

std::unique_ptr<BusyBoard> BusyBoard::make() {
    // A new anonymous mapping is all zeros, which is a valid board without busy threads.
    void* const memory =
        ::mmap(nullptr, sizeof(Memory), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED
               ? nullptr
               : std::unique_ptr<BusyBoard>(new BusyBoard(static_cast<Memory*>(memory)));
}

BusyBoard::~BusyBoard() {
    if (the_board == this) {
        use(nullptr);
    }
    ::munmap(static_cast<void*>(memory_), sizeof(Memory));
}

void BusyBoard::use(BusyBoard* board) {
    the_board = board;
    forget_thread();
}

BusyBoard::Slot* BusyBoard::claim() {
    const auto thread = static_cast<int>(::syscall(SYS_gettid));
    for (const bool of_the_dead : {false, true}) {
        for (Slot& slot : memory_->slots) {
            int owner = slot.thread;
            const bool is_free =
                owner == 0 || (of_the_dead && ::kill(slot.process, 0) != 0 && errno == ESRCH);
            if (is_free && slot.thread.compare_exchange_strong(owner, thread)) {
                slot.what = 0;
                slot.process = ::getpid();
                return &slot;
            }
        }
    }
    return nullptr;
}

void BusyBoard::forget_thread() {
    own.forget();
}

std::vector<BusyThread> BusyBoard::busy() const {
    std::vector<BusyThread> threads;
    for (const Slot& slot : memory_->slots) {
        const std::uint64_t what = slot.what.load(std::memory_order_acquire);
        if (what == 0) {
            continue;
        }
        BusyThread thread;
        thread.process = slot.process;
        thread.thread = slot.thread;
        thread.activity = static_cast<Activity>(what & 0xffU);
        thread.kind = static_cast<OpKind>((what >> 8U) & 0xffU);
        thread.file = FileIndex{static_cast<std::uint32_t>(what >> 32U)};
        thread.op = OpId{slot.op.load()};
        thread.begun = std::chrono::nanoseconds(slot.begun.load());
        threads.push_back(thread);
    }
    return threads;
}

void BusyBoard::ask_to_stop() {
    memory_->stop = true;
}

bool BusyBoard::asked_to_stop() const {
    return memory_->stop;
}

Busy::Busy(const Op& op) {
    begin(packed(Activity::operation, op.kind, op.file), op.id.value);
}

Busy::Busy(Activity activity, FileIndex file) {
    begin(packed(activity, OpKind{}, file), 0);
}

void Busy::begin(std::uint64_t what, std::uint64_t op) {
    if (!own.asked) {
        own.asked = true;
        BusyBoard::Slot* const claimed = the_board == nullptr ? nullptr : the_board->claim();
        own.slot = claimed;
        own.thread = claimed == nullptr ? nullptr : &claimed->thread;
    }
    slot_ = static_cast<BusyBoard::Slot*>(own.slot);
    if (slot_ == nullptr) {
        return;
    }
    what_before_ = slot_->what.load(std::memory_order_relaxed);
    op_before_ = slot_->op.load(std::memory_order_relaxed);
    slot_->begun.store(now(), std::memory_order_relaxed);
    slot_->op.store(op, std::memory_order_relaxed);
    slot_->what.store(what, std::memory_order_release);
}

Busy::~Busy() {
    if (slot_ != nullptr) {
        slot_->begun.store(now(), std::memory_order_relaxed);
        slot_->op.store(op_before_, std::memory_order_relaxed);
        slot_->what.store(what_before_, std::memory_order_release);
    }
}

} // namespace mmapstress
