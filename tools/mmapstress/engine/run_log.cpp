#include "tools/mmapstress/engine/run_log.hpp"

#include "fusefs/base/try.hpp"
#include "tools/mmapstress/report/progress_file.hpp"
#include "tools/mmapstress/report/report.hpp"
#include "tools/mmapstress/system/files.hpp"
#include "tools/schedule/op_effect.hpp"

#include <sys/file.h>

#include <algorithm>
#include <span>

namespace mmapstress {

namespace {

/// At most this many operations are logged at once. After a crash any of them may have left its
/// bytes: a small number makes the verification stricter, a large one saves syncs.
constexpr std::uint64_t kOpsAhead = 4096;
constexpr std::chrono::milliseconds kLongestUnsynced{100};

} // namespace

Outcome<RunLog> RunLog::open(const std::string& report, const RunResult& head,
                             const OpSourceFactory& factory) {
    RunLog log;
    if (report.empty() || is_special_file(report)) {
        return log; // after a crash nobody can read what went into a pipe
    }
    log.path_ = progress_path(report);
    auto file =
        partialfs::base::Fd::open(AT_FDCWD, log.path_.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (!file) {
        return failed("cannot create " + log.path_, file.error());
    }
    log.file_ = std::move(*file);
    if (::flock(log.file_.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        return refused("another run is going on that writes to " + log.path_);
    }
    if (::ftruncate(log.file_.get(), 0) != 0) {
        return failed("cannot empty " + log.path_);
    }
    const std::string name = head.directory.substr(head.directory.rfind('/') + 1);
    TRY(log.append(progress_head(name), true));
    if (auto written = write_file_atomically(report, report_json(head, ReportState::running));
        !written) {
        return refused(written.error());
    }
    log.ahead_ = std::make_unique<OpWalker>(factory());
    return log;
}

OpId RunLog::last_with(OpId id) {
    const auto pull = [&] {
        const Op* const op = ahead_->next();
        next_ = op == nullptr ? std::nullopt : std::optional(*op);
    };
    OpId last = id;
    for (std::uint64_t count = 0; count < kOpsAhead; ++count) {
        if (!next_) {
            pull();
        }
        if (!next_ || (next_->id > id && takes_bytes_away(*next_))) {
            break;
        }
        last = std::max(last, next_->id);
        next_.reset();
    }
    return last;
}

Outcome<> RunLog::append(const std::string& line, bool sync) {
    // O_APPEND: the offset does not matter.
    TRY(write_bytes(file_.get(), std::as_bytes(std::span(line)), ByteOffset{0}, path_));
    const auto now = std::chrono::steady_clock::now();
    if (sync || now - synced_ >= kLongestUnsynced) {
        if (::fdatasync(file_.get()) != 0) {
            return failed("cannot sync " + path_);
        }
        synced_ = now;
    }
    return {};
}

Outcome<> RunLog::before(OpId id) {
    if (!file_ || id <= begun_) {
        return {};
    }
    begun_ = last_with(id);
    return append(begun_line(begun_), true);
}

Outcome<> RunLog::done(OpId id) {
    return file_ ? append(done_line(id), false) : Outcome<>{};
}

Outcome<> RunLog::end() {
    return file_ ? append(end_line(), true) : Outcome<>{};
}

} // namespace mmapstress
