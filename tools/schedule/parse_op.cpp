#include "tools/schedule/parse_op.hpp"

#include <algorithm>
#include <limits>
#include <vector>

namespace mmapstress::text {

namespace {

/// Reads the settings of an operation's line, each at most once, and reports missing ones.
class OpReader {
  public:
    explicit OpReader(Op& op) : op_(op), traits_(traits_of(op.kind)) {}

    std::expected<void, std::string> take(const Setting& item) {
        if (std::ranges::find(seen_, item.key) != seen_.end()) {
            return Error("given twice: " + in_quotes(item.key));
        }
        seen_.push_back(item.key);
        if ((item.key == "fill" || item.key == "data") && traits_.has_content) {
            return set_content(op_.content, item);
        }
        if (item.key == "commits" && (op_.kind == OpKind::fsync || op_.kind == OpKind::fdatasync ||
                                      op_.kind == OpKind::msync)) {
            if (item.value != "yes" && item.value != "no") {
                return Error("commits= is yes or no, not " + in_quotes(item.value));
            }
            op_.commits = item.value == "yes";
            return {};
        }
        return take_number(item);
    }

    /// Success, or the setting that the line lacks.
    [[nodiscard]] std::expected<void, std::string> complete() const {
        const bool truncates = op_.kind == OpKind::truncate;
        if (traits_.has_file && !has("file")) {
            return Error("file= is missing");
        }
        if (op_.kind == OpKind::pause && !has("us")) {
            return Error("us= is missing");
        }
        if (truncates && !has("size")) {
            return Error("size= is missing");
        }
        if (traits_.has_offset && !has("off") && !(traits_.range_optional && !has("len"))) {
            return Error("off= is missing");
        }
        if (traits_.has_length && !truncates && !has("len") &&
            !(traits_.range_optional && !has("off"))) {
            return Error("len= is missing");
        }
        if (traits_.has_source && !has("source")) {
            return Error("source= is missing");
        }
        if (copies_a_range() && !has("from")) {
            return Error("from= is missing");
        }
        return {};
    }

  private:
    [[nodiscard]] bool has(std::string_view key) const {
        return std::ranges::find(seen_, key) != seen_.end();
    }

    /// Whether it copies a range, not all of another file as clone-file does.
    [[nodiscard]] bool copies_a_range() const { return traits_.has_source && traits_.has_offset; }

    std::expected<void, std::string> take_number(const Setting& item) {
        const auto value = number(item.value, std::numeric_limits<std::uint64_t>::max());
        if (!value) {
            return Error(value.error());
        }
        const auto narrow = [&](auto& field,
                                std::uint64_t max) -> std::expected<void, std::string> {
            if (*value > max) {
                return Error("the number is too large: " + in_quotes(item.value));
            }
            field.value = static_cast<decltype(field.value)>(*value);
            return {};
        };
        if (item.key == "file" && traits_.has_file) {
            return narrow(op_.file, std::numeric_limits<std::uint32_t>::max());
        }
        if (item.key == "map" && traits_.has_map) {
            return narrow(op_.map, kMapsPerFile - 1);
        }
        if (item.key == "by") {
            return narrow(op_.by, std::numeric_limits<std::uint16_t>::max());
        }
        if (item.key == "source" && traits_.has_source) {
            return narrow(op_.source, std::numeric_limits<std::uint32_t>::max());
        }
        if (item.key == "from" && copies_a_range()) {
            op_.from.value = *value;
        } else if (item.key == "off" && traits_.has_offset) {
            op_.offset.value = *value;
        } else if (item.key == (op_.kind == OpKind::truncate ? "size" : "len") &&
                   traits_.has_length) {
            op_.length.value = *value;
        } else if (item.key == "us" && op_.kind == OpKind::pause) {
            op_.pause = *value;
        } else {
            return Error(std::string(traits_.name) + " has no " + in_quotes(item.key));
        }
        return {};
    }

    Op& op_;
    const OpTraits& traits_;
    std::vector<std::string_view> seen_;
};

} // namespace

std::expected<Op, std::string> parse_op(std::string_view first, Words words) {
    const auto id = number(first, std::numeric_limits<std::uint64_t>::max());
    if (!id) {
        return Error("neither a header keyword nor an operation's number: " + in_quotes(first));
    }
    const std::string_view name = words.next();
    const auto kind = kind_named(name);
    if (!kind) {
        return Error("no such operation: " + in_quotes(name));
    }
    Op op;
    op.id.value = *id;
    op.kind = *kind;
    OpReader reader(op);
    while (!words.done()) {
        const auto item = setting(words.next());
        if (!item) {
            return Error(item.error());
        }
        if (const auto taken = reader.take(*item); !taken) {
            return Error(taken.error());
        }
    }
    if (const auto complete = reader.complete(); !complete) {
        return Error(complete.error());
    }
    return op;
}

} // namespace mmapstress::text
