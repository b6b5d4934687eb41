// Keeps the latest events, and writes all of them to a file if there is one.
#pragma once

#include "fusefs/base/fd.hpp"
#include "fusefs/base/mutex.hpp"
#include "fusefs/trace/event.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace partialfs::trace {

/// Monotonic nanoseconds now (CLOCK_MONOTONIC).
model::Nanoseconds now();

/// A ring of the latest events. Thread-safe; record() holds a mutex for a short time and allocates
/// nothing. With a file, every event reaches it: record() waits while the ring is full of events
/// that the writing thread has not taken yet.
class Recorder {
  public:
    /// Returns an inode's path relative to the mount, empty if it has none (any more).
    using PathOf = std::function<std::string(model::InodeId)>;

    /// How many of the latest events are kept.
    static constexpr std::size_t kKept = 16384;

    explicit Recorder(model::BlockSize block_size) : block_size_(block_size), ring_(kKept) {}
    Recorder(const Recorder&) = delete;
    Recorder& operator=(const Recorder&) = delete;
    /// As stop_file().
    ~Recorder();

    /// To be called once, before events are exported. `path_of` is called without the recorder's
    /// mutex held.
    void set_path_of(PathOf path_of);
    /// Keeps the last path of an inode that is gone, for when path_of returns none. Kept for the
    /// kPathsKept latest inodes.
    void keep_path(model::InodeId inode, std::string_view path);
    static constexpr std::size_t kPathsKept = kKept;
    /// From now on every event is appended to `file` as JSON Lines by a thread of its own.
    void start_file(base::Fd file);
    /// Ends the writing thread after it has written every event.
    void stop_file();

    /// Records an event; its time and sequence number are filled in.
    void record(Event event) { record({&event, 1}); }
    /// Records several events, with one time. Fills in their times and numbers.
    void record(std::span<Event> events);

    /// The latest events as JSON Lines, oldest first.
    [[nodiscard]] std::string latest() const;
    /// How many events there have been.
    [[nodiscard]] std::uint64_t recorded() const;
    /// The errno with which writing the file failed; 0 if it did not.
    [[nodiscard]] int file_error() const;

  private:
    [[nodiscard]] std::string path_of(model::InodeId inode) const;
    void write_file();
    /// Waits for events to write, and takes some of them. Empty: the thread is to stop.
    std::vector<Event> take_events();
    /// Writes the text to the file. 0, or the errno of what failed.
    [[nodiscard]] int append(std::string_view text);
    [[nodiscard]] std::string lines(std::span<const Event> events) const;

    model::BlockSize block_size_;
    PathOf path_of_;
    mutable base::Mutex mutex_; ///< a leaf: nothing is locked inside it
    base::CondVar room_;        ///< the writing thread has taken events
    base::CondVar written_;     ///< half the ring is to be written, or the thread is to stop
    std::vector<Event> ring_ GUARDED_BY(mutex_); ///< event n is at n % kKept
    std::uint64_t last_ GUARDED_BY(mutex_) = 0;  ///< number of the latest event
    std::uint64_t exported_ GUARDED_BY(mutex_) =
        0; ///< number of the latest event that the writing thread took
    bool exporting_ GUARDED_BY(mutex_) = false;
    bool stop_ GUARDED_BY(mutex_) = false;
    int file_error_ GUARDED_BY(mutex_) = 0;
    std::map<model::InodeId, std::string> kept_paths_ GUARDED_BY(mutex_);
    base::Fd file_; ///< set before the writing thread begins, and used by that thread only
    std::thread writer_;
};

} // namespace partialfs::trace
