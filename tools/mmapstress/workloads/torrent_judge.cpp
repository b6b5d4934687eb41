// The client's hash check. It uses only the schedule and the bytes on disk.
#include "tools/mmapstress/workloads/torrent.hpp"
#include "tools/schedule/pattern.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <map>
#include <utility>

namespace mmapstress {
namespace {

class Hash {
  public:
    Hash() { XXH3_128bits_reset(&state_); }
    void add(std::span<const std::byte> bytes) {
        XXH3_128bits_update(&state_, bytes.data(), bytes.size());
    }
    [[nodiscard]] XXH128_hash_t digest() const { return XXH3_128bits_digest(&state_); }

  private:
    XXH3_state_t state_;
};

struct Piece {
    ByteRange range;
    ByteOffset received;
    Hash hash;
};

/// What the client knows about its pieces: their hashes, and which are complete.
class Pieces {
  public:
    Pieces(std::uint64_t seed) : seed_(seed) {}

    void follow(const Op& op) {
        if (op.kind == OpKind::map && op.length.value > 0) {
            in_flight_[{op.file, op.map}] = Piece{op.range(), op.offset, {}};
        } else if (op.kind == OpKind::store) {
            store(op);
        } else if (op.kind == OpKind::truncate) {
            std::erase_if(complete_, [&](const auto& entry) {
                return entry.first.first == op.file && entry.first.second.value >= op.length.value;
            });
        }
    }

    std::vector<std::string> check(const FileReader& read) const {
        std::vector<std::string> broken;
        for (const auto& [place, piece] : complete_) {
            std::vector<std::byte> bytes(piece.range.size().value);
            const std::string name = "file " + std::to_string(place.first.value) + ", piece at " +
                                     std::to_string(piece.range.begin.value);
            if (!read(place.first, piece.range.begin, bytes)) {
                broken.push_back(name + ": cannot be read");
                continue;
            }
            Hash hash;
            hash.add(bytes);
            if (!XXH128_isEqual(hash.digest(), piece.hash.digest())) {
                broken.push_back(name + " (" + std::to_string(bytes.size()) +
                                 " bytes): hash check failed");
            }
        }
        return broken;
    }

  private:
    void store(const Op& op) {
        const auto found = in_flight_.find({op.file, op.map});
        if (found == in_flight_.end() || found->second.received != op.offset) {
            return;
        }
        Piece& piece = found->second;
        buffer_.resize(op.length.value);
        fill_content(buffer_, op.content, seed_, op.file, op.id, op.offset, op.offset);
        piece.hash.add(buffer_);
        piece.received = op.range().end;
        if (piece.received == piece.range.end) {
            complete_.insert_or_assign({op.file, piece.range.begin}, piece);
            in_flight_.erase(found);
        }
    }

    std::uint64_t seed_;
    std::map<std::pair<FileIndex, MapIndex>, Piece> in_flight_;
    std::map<std::pair<FileIndex, ByteOffset>, Piece> complete_;
    std::vector<std::byte> buffer_;
};

} // namespace

std::vector<std::string> judge_torrent(OpSource& source, OpId last, const FileReader& read) {
    Pieces pieces{source.header().seed};
    std::vector<Op> ops;
    while (source.more(ops)) {
        for (const Op& op : ops) {
            if (op.id > last) {
                return pieces.check(read);
            }
            pieces.follow(op);
        }
        ops.clear();
    }
    return pieces.check(read);
}

} // namespace mmapstress
