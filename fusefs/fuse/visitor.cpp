#include "fusefs/fuse/visitor.hpp"

#include <linux/close_range.h>
#include <pthread.h>
#include <sched.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace partialfs::fuse {

namespace {

/// A message of one byte with one descriptor, to be sent or received.
struct DescriptorMessage {
    char byte = 0;
    iovec part{&byte, 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};

    DescriptorMessage() {
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
    }
    DescriptorMessage(const DescriptorMessage&) = delete;
    DescriptorMessage& operator=(const DescriptorMessage&) = delete;
    ~DescriptorMessage() = default;
};

/// Closes every descriptor of this thread's own table except `kept`, which may be -1 for none.
void empty_file_table(int kept) {
    if (kept < 0) {
        ::syscall(SYS_close_range, 0U, ~0U, 0U);
        return;
    }
    const auto number = static_cast<unsigned>(kept);
    if (number > 0) {
        ::syscall(SYS_close_range, 0U, number - 1U, 0U);
    }
    ::syscall(SYS_close_range, number + 1U, ~0U, 0U);
}

} // namespace

void Visitor::start() {
    base::Lock lock(mutex_);
    if (running_) {
        return;
    }
    stopping_ = false;
    std::array<int, 2> ends{-1, -1};
    if (::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) == 0) {
        home_ = base::Fd{ends[0]};
        thread_home_ = ends[1];
    }
    thread_ = std::thread([this] { serve(); });
    while (!running_) {
        changed_.wait(lock);
    }
    if (thread_home_ >= 0) {
        ::close(thread_home_); // in this table; the thread's has a copy under the same number
    }
}

void Visitor::stop() {
    {
        const base::Lock lock(mutex_);
        stopping_ = true;
        changed_.notify_all();
    }
    if (thread_.joinable()) {
        thread_.join();
    }
}

std::shared_ptr<Visitor::Task> Visitor::submit(Visit visit) {
    const base::Lock lock(mutex_);
    if (!running_ || stopping_) {
        return nullptr;
    }
    tasks_.push_back(std::make_shared<Task>(Task{.visit = std::move(visit)}));
    changed_.notify_all();
    return tasks_.back();
}

void Visitor::post(Job job) {
    submit([job = std::move(job)](const Arrived& /*arrived*/) { job(); });
}

Visitor::Outcome Visitor::run(const Job& job) {
    const auto task = submit([&job](const Arrived& /*arrived*/) { job(); });
    if (!task) {
        return Outcome::not_running;
    }
    base::Lock lock(mutex_);
    while (task->state != Task::State::done) {
        changed_.wait(lock);
    }
    return end_of(*task);
}

Visitor::Outcome Visitor::end_of(const Task& task) {
    if (task.thrown) {
        std::rethrow_exception(task.thrown);
    }
    return Outcome::done;
}

Visitor::Outcome Visitor::run(const Visit& visit, std::chrono::nanoseconds patience) {
    // A copy: the task may outlive this call.
    const auto task = submit(visit);
    if (!task) {
        return Outcome::not_running;
    }
    base::Lock lock(mutex_);
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (task->state == Task::State::on_its_way) {
        if (changed_.wait_until(lock, deadline) == std::cv_status::timeout &&
            task->state == Task::State::on_its_way) {
            task->state = Task::State::given_up;
            return Outcome::gave_up;
        }
    }
    while (task->state != Task::State::done) {
        changed_.wait(lock);
    }
    return end_of(*task);
}

bool Visitor::send_home(const base::Fd& fd) const {
    if (!has_own_table_ || thread_home_ < 0) {
        return false;
    }
    DescriptorMessage room;
    msghdr& message = room.message;
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    const int number = fd.get();
    std::memcpy(CMSG_DATA(header), &number, sizeof number);
    return ::sendmsg(thread_home_, &message, MSG_NOSIGNAL) == 1;
}

base::Result<base::Fd> Visitor::take_home() const {
    DescriptorMessage room;
    msghdr& message = room.message;
    if (::recvmsg(home_.get(), &message, MSG_CMSG_CLOEXEC) < 0) {
        return base::last_error();
    }
    const cmsghdr* const header = CMSG_FIRSTHDR(&message);
    if (header == nullptr || header->cmsg_type != SCM_RIGHTS) {
        return base::failed(EBADF);
    }
    int number = -1;
    std::memcpy(&number, CMSG_DATA(header), sizeof number);
    return base::Fd{number};
}

void Visitor::serve() {
    pthread_setname_np(pthread_self(), "visitor");
    // unshare(2) first: close_range(2) must not close the descriptors of other threads.
    if (::unshare(CLONE_FILES) != 0) {
        spdlog::warn("cannot have a file table for a thread: {}; after a SIGKILL of the daemon the "
                     "mount may hang until it is aborted in /sys/fs/fuse/connections",
                     std::strerror(errno));
    } else {
        empty_file_table(thread_home_);
        has_own_table_ = true;
    }
    thread_id_ = gettid();
    base::Lock lock(mutex_);
    running_ = true;
    changed_.notify_all();
    for (;;) {
        while (!stopping_ && tasks_.empty()) {
            changed_.wait(lock);
        }
        if (tasks_.empty()) {
            break;
        }
        const std::shared_ptr<Task> task = std::move(tasks_.front());
        tasks_.pop_front();
        if (task->state == Task::State::given_up) {
            continue;
        }
        lock.unlock();
        try {
            task->visit([&] {
                const base::Lock arriving(mutex_);
                if (task->state == Task::State::given_up) {
                    return false;
                }
                task->state = Task::State::arrived;
                changed_.notify_all();
                return true;
            });
        } catch (...) {
            task->thrown = std::current_exception();
        }
        lock.lock();
        task->state = Task::State::done;
        changed_.notify_all();
    }
    if (has_own_table_ && thread_home_ >= 0) {
        ::close(thread_home_);
    }
    running_ = false;
    thread_id_ = 0;
}

} // namespace partialfs::fuse
