#include "fusefs/fuse/power_files.hpp"

#include "fusefs/backing/object.hpp"
#include "fusefs/base/exceptions.hpp"
#include "fusefs/base/mutex.hpp"
#include "fusefs/fuse/control_directory.hpp"
#include "fusefs/fuse/fuse_page_cache.hpp"
#include "fusefs/fuse/inode_table.hpp"
#include "fusefs/fuse/power_cut.hpp"
#include "fusefs/trace/recorder.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <map>
#include <utility>

namespace partialfs::fuse {
namespace {

using nlohmann::ordered_json;
using power::Command;
using power::CutReport;
using power::Power;

std::string dumped(const ordered_json& json, int indent) {
    return json.dump(indent, ' ', false, ordered_json::error_handler_t::replace) + '\n';
}

ordered_json json_of(const CutReport& report) {
    return {{"cut", report.number},
            {"command", report.command},
            {"armed", report.armed},
            {"files", report.files},
            {"bytes", report.bytes},
            {"sizes", report.sizes},
            {"sectors_kept", report.sectors_kept},
            {"sectors_lost", report.sectors_lost},
            {"errno", report.error}};
}

std::string_view name_of_state(Power::State state) {
    switch (state) {
    case Power::State::on:
        return "on";
    case Power::State::cutting:
        return "being cut";
    case Power::State::off:
        return "off";
    }
    return {};
}

// --- fired
// ----------------------------------------------------------------------------------------

/// Empty until set().
class FiredText final : public ControlReader {
  public:
    std::string read(std::uint64_t offset, std::size_t size) override {
        const base::Lock lock(mutex_);
        return text_.substr(std::min<std::uint64_t>(offset, text_.size()), size);
    }
    void set(const CutReport& report) {
        const base::Lock lock(mutex_);
        text_ = dumped(json_of(report), -1);
    }

  private:
    base::Mutex mutex_; ///< a leaf
    std::string text_ GUARDED_BY(mutex_);
};

/// Called by libfuse, with the request's lock held, when the reader is interrupted.
void interrupted(fuse_req_t req, void* waiter) {
    if (mount_of(req).context.power->stop_waiting(reinterpret_cast<Power::Waiter>(waiter))) {
        answer(req, EINTR);
    }
}

// --- unsynced
// -------------------------------------------------------------------------------------

/// Collects the lines of `unsynced`.
class UnsyncedLines {
  public:
    void add(std::string_view path, model::InodeId inode, std::string_view where,
             model::ByteRange bytes) {
        if (!bytes.empty()) {
            text_ += dumped({{"path", path},
                             {"inode", number_or_null(inode)},
                             {"where", where},
                             {"offset", bytes.begin.value},
                             {"length", bytes.size().value}},
                            -1);
        }
    }
    void add_size(std::string_view path, model::InodeId inode, std::string_view where,
                  model::LostSize size) {
        text_ += dumped({{"path", path},
                         {"inode", number_or_null(inode)},
                         {"where", where},
                         {"size", size.was.value},
                         {"size_on_disk", size.is.value}},
                        -1);
    }
    [[nodiscard]] std::string take() { return std::move(text_); }

  private:
    static ordered_json number_or_null(model::InodeId inode) {
        return inode.value == 0 ? ordered_json(nullptr) : ordered_json(inode.value);
    }
    std::string text_;
};

void add_memory(Mount& mount, const Inode& inode, UnsyncedLines& lines) {
    const std::string path = path_of(mount, inode);
    if (path.empty()) {
        return; // a file without a name does not count as lost
    }
    file::FileData& data = *inode.data();
    const file::FileData::HeldBack held = data.held_back();
    for (const model::ByteRange& range : held.bytes) {
        lines.add(path, inode.id(), "memory", range);
    }
    if (data.may_be_mapped()) {
        const auto stored = data.look(mount.page_cache).value_or(file::PageSet{});
        const model::ByteRange within{model::ByteOffset{0}, data.size()};
        for (const file::PageRange& pages : stored.ranges()) {
            lines.add(path, inode.id(), "mapped",
                      intersect({start_of(pages.first), range_of(pages.last).end}, within));
        }
    }
    if (held.size) {
        lines.add_size(path, inode.id(), "memory", *held.size);
    }
}

std::string unsynced_text(Mount& mount) {
    UnsyncedLines lines;
    std::map<BackingKey, model::InodeId> known;
    for (const InodePtr& inode : mount.inodes.regular_files()) {
        known.emplace(inode->key(), inode->id());
        add_memory(mount, *inode, lines);
    }
    for (const power::DiskCache::Unsynced& file : mount.context.power->cache().unsynced()) {
        const std::string path = backing::path_below(file.fd, mount.settings.source);
        if (path.empty()) {
            continue;
        }
        const auto inode = known.find({file.file.device, file.file.number});
        const model::InodeId id = inode == known.end() ? model::InodeId{0} : inode->second;
        for (const model::ByteRange& range : file.data) {
            lines.add(path, id, "disk-cache", range);
        }
        const auto status = backing::status_of(file.fd);
        if (file.synced_size && status) {
            const model::ByteOffset now = model::offset_of(status->st_size);
            lines.add_size(path, id, "disk-cache", {.was = now, .is = *file.synced_size});
        }
    }
    return lines.take();
}

/// The text as it was at the open.
class UnsyncedText final : public ControlReader {
  public:
    explicit UnsyncedText(std::string text) : text_(std::move(text)) {}
    std::string read(std::uint64_t offset, std::size_t size) override {
        return text_.substr(std::min<std::uint64_t>(offset, text_.size()), size);
    }

  private:
    const std::string text_;
};

} // namespace

std::string power_json(const Mount& mount) {
    const Power::Status status = mount.context.power->status();
    ordered_json json;
    json["power"] = name_of_state(status.state);
    json["boot"] = status.boot.value;
    json["armed"] = status.armed
                        ? ordered_json{{"command", to_text(*status.armed)}, {"seen", status.seen}}
                        : ordered_json(nullptr);
    json["cuts"] = status.cuts;
    json["last"] = status.last ? json_of(*status.last) : ordered_json(nullptr);
    json["refused"] = status.refused.empty() ? ordered_json(nullptr) : ordered_json(status.refused);
    power::DiskCache& cache = mount.context.power->cache();
    json["undo"] = {
        {"bytes", cache.used()}, {"cap", cache.cap()}, {"times_full", cache.times_full()}};
    return dumped(json, 2);
}

Answer write_power(fuse_req_t req, std::string_view text, std::size_t size) {
    Mount& mount = mount_of(req);
    Power& power = *mount.context.power;
    const auto command = power::parse_command(text);
    if (!command) {
        power.refused(command.error());
        return base::failed(EINVAL);
    }
    const auto refused = [&](std::string why, int error) -> Answer {
        power.refused(std::move(why));
        return base::failed(error);
    };
    switch (command->verb) {
    case Command::Verb::disarm:
        power.disarm();
        break;
    case Command::Verb::on:
        if (power.is_on()) {
            break;
        }
        if (!power.turn_on()) {
            return refused("on: the power is being cut just now", EBUSY);
        }
        mount.context.trace.record({.kind = trace::Kind::power_on});
        break;
    case Command::Verb::cut:
    case Command::Verb::cut_and_on: {
        if (command->at) {
            power.arm(*command);
            break;
        }
        const auto done = [req, size](const std::optional<CutReport>& report) {
            answer(req, report ? Answer{Written{size}} : Answer{base::failed(ENODEV)});
        };
        if (!power.cut(*command, done)) {
            return refused(power.is_cutting() ? "the power is being cut just now"
                                              : "the power is off already: write on first",
                           EBUSY);
        }
        return Later{};
    }
    }
    power.refused({});
    return Written{size};
}

std::shared_ptr<ControlReader> open_fired() {
    return std::make_shared<FiredText>();
}

Answer read_fired(fuse_req_t req, std::size_t size, off_t offset,
                  const std::shared_ptr<ControlReader>& reader) {
    const auto text = std::dynamic_pointer_cast<FiredText>(reader);
    if (!text || offset != 0) {
        return Bytes{reader->read(static_cast<std::uint64_t>(offset), size)};
    }
    Power& power = *mount_of(req).context.power;
    const Power::Waiter waiter = power.next_waiter();
    // Set before checking whether a cut has already fired, so that no interrupt is missed.
    fuse_req_interrupt_func(req, interrupted, reinterpret_cast<void*>(waiter));
    bool gone = false;
    const Power::Waiting waiting = power.wait_for_firing(
        waiter,
        [req, text, size](const std::optional<CutReport>& report) {
            if (report) {
                text->set(*report);
            }
            answer(req, report ? Answer{Bytes{text->read(0, size)}} : base::failed(ENODEV));
        },
        [&] { return gone = fuse_req_interrupted(req) != 0; });
    if (waiting.report) {
        text->set(*waiting.report);
        return Bytes{text->read(0, size)};
    }
    if (waiting.waiter == 0) {
        return base::failed(gone ? EINTR : ENODEV);
    }
    return Later{};
}

Answer open_unsynced(fuse_req_t req, const fuse_file_info& info) {
    Mount& mount = mount_of(req);
    mount.control.submit([req, &mount, info](bool serving) {
        fuse_file_info opened = info;
        answer(req, base::without_exceptions([&]() -> Answer {
                   if (!serving) {
                       return base::failed(ENODEV);
                   }
                   opened.fh =
                       mount.handles.add(std::make_shared<UnsyncedText>(unsynced_text(mount)));
                   opened.direct_io = 1;
                   return Opened{&opened};
               }));
    });
    return Later{};
}

} // namespace partialfs::fuse
