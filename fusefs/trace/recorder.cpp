#include "fusefs/trace/recorder.hpp"

#include "fusefs/base/exceptions.hpp"

#include <time.h>

#include <algorithm>
#include <map>

namespace partialfs::trace {

model::Nanoseconds now() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return model::Nanoseconds{static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U +
                              static_cast<std::uint64_t>(time.tv_nsec)};
}

Recorder::~Recorder() {
    stop_file();
}

void Recorder::set_path_of(PathOf path_of) {
    path_of_ = std::move(path_of);
}

void Recorder::start_file(base::Fd file) {
    const std::scoped_lock lock(mutex_);
    file_ = std::move(file);
    exported_ = last_;
    exporting_ = true;
    stop_ = false;
    writer_ = std::thread([this] { write_file(); });
}

void Recorder::stop_file() {
    {
        const std::scoped_lock lock(mutex_);
        stop_ = true;
        written_.notify_all();
    }
    if (writer_.joinable()) {
        writer_.join();
    }
}

void Recorder::record(std::span<Event> events) {
    const model::Nanoseconds time = now();
    std::unique_lock lock(mutex_);
    for (Event& event : events) {
        room_.wait(lock, [&] { return !exporting_ || last_ - exported_ < kKept; });
        event.time = time;
        event.sequence = ++last_;
        ring_[last_ % kKept] = event;
        if (exporting_ && last_ - exported_ == kKept / 2) {
            written_.notify_one();
        }
    }
}

std::string Recorder::lines(std::span<const Event> events) const {
    std::map<model::InodeId, std::string> paths;
    std::string text;
    for (const Event& event : events) {
        auto path = paths.find(event.inode);
        if (path == paths.end()) {
            std::string name;
            if (event.inode.value != 0 && path_of_) {
                name = path_of_(event.inode);
            }
            path = paths.emplace(event.inode, std::move(name)).first;
        }
        text += to_json(event, path->second, block_size_);
        text += '\n';
    }
    return text;
}

void Recorder::write_file() {
    constexpr std::size_t kBatch = 1024;
    // The file need not be up to date to the millisecond, but a person who watches it must not
    // wait.
    constexpr auto kPatience = std::chrono::milliseconds(50);
    std::vector<Event> batch;
    batch.reserve(kBatch);
    std::unique_lock lock(mutex_);
    for (;;) {
        written_.wait_for(lock, kPatience, [&] { return stop_ || last_ - exported_ >= kKept / 2; });
        if (last_ == exported_) {
            if (stop_) {
                break;
            }
            continue;
        }
        batch.clear();
        while (exported_ < last_ && batch.size() < kBatch) {
            batch.push_back(ring_[++exported_ % kKept]);
        }
        room_.notify_all();
        lock.unlock();
        std::string text;
        int error = 0;
        try {
            text = lines(batch);
        } catch (...) {
            error = base::errno_of_exception().value;
        }
        for (std::size_t done = 0; done < text.size() && error == 0;) {
            const ssize_t put = ::write(file_.get(), text.data() + done, text.size() - done);
            if (put > 0) {
                done += static_cast<std::size_t>(put);
            } else if (put < 0 && errno != EINTR) {
                error = errno;
            }
        }
        lock.lock();
        if (error != 0) {
            file_error_ = error;
            break;
        }
    }
    exporting_ = false;
    room_.notify_all();
}

std::string Recorder::latest() const {
    std::vector<Event> events;
    {
        const std::scoped_lock lock(mutex_);
        const std::uint64_t count = std::min<std::uint64_t>(last_, kKept);
        events.reserve(count);
        for (std::uint64_t number = last_ - count + 1; number <= last_; ++number) {
            events.push_back(ring_[number % kKept]);
        }
    }
    return lines(events);
}

std::uint64_t Recorder::recorded() const {
    const std::scoped_lock lock(mutex_);
    return last_;
}

int Recorder::file_error() const {
    const std::scoped_lock lock(mutex_);
    return file_error_;
}

} // namespace partialfs::trace
