#include "fusefs/trace/recorder.hpp"

#include "fusefs/base/exceptions.hpp"

#include <time.h>

#include <algorithm>
#include <chrono>
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

void Recorder::keep_path(model::InodeId inode, std::string_view path) {
    const base::Lock lock(mutex_);
    kept_paths_.insert_or_assign(inode, std::string(path));
    if (kept_paths_.size() > kPathsKept) {
        kept_paths_.erase(kept_paths_.begin()); // the oldest: numbers are never used again
    }
}

std::string Recorder::path_of(model::InodeId inode) const {
    if (inode.value == 0) {
        return {};
    }
    if (std::string path = path_of_ ? path_of_(inode) : std::string(); !path.empty()) {
        return path;
    }
    const base::Lock lock(mutex_);
    const auto kept = kept_paths_.find(inode);
    return kept == kept_paths_.end() ? std::string() : kept->second;
}

void Recorder::start_file(base::Fd file) {
    const base::Lock lock(mutex_);
    file_ = std::move(file);
    exported_ = last_;
    exporting_ = true;
    stop_ = false;
    writer_ = std::thread([this] { write_file(); });
}

void Recorder::stop_file() {
    {
        const base::Lock lock(mutex_);
        stop_ = true;
        written_.notify_all();
    }
    if (writer_.joinable()) {
        writer_.join();
    }
}

void Recorder::record(std::span<Event> events) {
    const model::Nanoseconds time = now();
    const base::Lock lock(mutex_);
    for (Event& event : events) {
        while (exporting_ && last_ - exported_ >= kKept) {
            room_.wait(lock);
        }
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
            path = paths.emplace(event.inode, path_of(event.inode)).first;
        }
        text += to_json(event, path->second, block_size_);
        text += '\n';
    }
    return text;
}

std::vector<Event> Recorder::take_events() {
    constexpr std::size_t kBatch = 1024;
    // Events are written in batches, but a person who watches the file must not notice the delay.
    constexpr auto kPatience = std::chrono::milliseconds(50);
    std::vector<Event> taken;
    taken.reserve(kBatch);
    const base::Lock lock(mutex_);
    while (true) {
        const auto deadline = std::chrono::steady_clock::now() + kPatience;
        while (!stop_ && last_ - exported_ < kKept / 2 &&
               written_.wait_until(lock, deadline) == std::cv_status::no_timeout) {
        }
        if (last_ != exported_ || stop_) {
            break;
        }
    }
    while (exported_ < last_ && taken.size() < kBatch) {
        taken.push_back(ring_[++exported_ % kKept]);
    }
    room_.notify_all();
    return taken;
}

int Recorder::append(std::string_view text) {
    while (!text.empty()) {
        const ssize_t put = ::write(file_.get(), text.data(), text.size());
        if (put > 0) {
            text.remove_prefix(static_cast<std::size_t>(put));
        } else if (put < 0 && errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

void Recorder::write_file() {
    int error = 0;
    while (error == 0) {
        try {
            const std::vector<Event> events = take_events();
            if (events.empty()) {
                break;
            }
            error = append(lines(events));
        } catch (...) {
            error = base::errno_of_exception().value;
        }
    }
    const base::Lock lock(mutex_);
    file_error_ = error;
    exporting_ = false;
    room_.notify_all();
}

std::string Recorder::latest() const {
    std::vector<Event> events;
    {
        const base::Lock lock(mutex_);
        const std::uint64_t count = std::min<std::uint64_t>(last_, kKept);
        events.reserve(count);
        for (std::uint64_t number = last_ - count + 1; number <= last_; ++number) {
            events.push_back(ring_[number % kKept]);
        }
    }
    return lines(events);
}

std::uint64_t Recorder::recorded() const {
    const base::Lock lock(mutex_);
    return last_;
}

int Recorder::file_error() const {
    const base::Lock lock(mutex_);
    return file_error_;
}

} // namespace partialfs::trace
