#include "tools/mmapstress/engine/recorder.hpp"

namespace mmapstress {

Outcome<Recorder> Recorder::open(const std::string& path, std::uint64_t keep) {
    Recorder recorder;
    recorder.path_ = path;
    recorder.keep_ = keep;
    if (!path.empty()) {
        recorder.file_.reset(std::fopen(path.c_str(), "we"));
        if (!recorder.file_) {
            return failed("cannot write the schedule to " + path);
        }
    }
    return recorder;
}

void Recorder::write(const std::string& text) {
    if (file_ && error_ == 0 &&
        std::fwrite(text.data(), 1, text.size(), file_.get()) != text.size()) {
        error_ = errno;
    }
    if (ops_ <= keep_) {
        kept_ += text;
    } else if (!kept_.empty()) {
        kept_ = std::string();
    }
}

void Recorder::header(const Header& header) {
    line_.clear();
    print_header(line_, header);
    write(line_);
}

void Recorder::op(const Op& op) {
    ++ops_;
    if (!file_ && ops_ > keep_ + 1) {
        return;
    }
    line_.clear();
    print_op(line_, op);
    write(line_);
}

Outcome<> Recorder::finish() {
    if (file_ && error_ == 0 && std::fflush(file_.get()) != 0) {
        error_ = errno;
    }
    file_.reset();
    if (error_ != 0) {
        return failed("cannot write the schedule to " + path_, Errno{error_});
    }
    return {};
}

} // namespace mmapstress
