#include "tools/mmapstress/workloads/torrent.hpp"

#include "tools/mmapstress/workloads/built_source.hpp"

#include <algorithm>
#include <limits>

namespace mmapstress {
namespace {

constexpr ByteCount kDefaultSize{8U << 20U};
constexpr std::uint32_t kDefaultFiles = 4;
constexpr std::uint64_t kBlock = 16384;       ///< bytes that one request asks a peer for
constexpr std::uint64_t kPiece = 16 * kBlock; ///< bytes that one hash covers
constexpr std::uint64_t kSegment = 1460;      ///< bytes that one TCP segment carries
constexpr std::uint64_t kSegmentsAtOnce = 6;  ///< at most this many for one recv()
constexpr std::uint64_t kPauseMicroseconds = 3000;
constexpr std::uint64_t kRoundsPerCommit = 24;
constexpr std::uint64_t kRoundsPerFlush = 40;

/// A peer that sends one piece, through one mapping.
struct Connection {
    FileIndex file;
    MapIndex map;
    WorkerIndex by;
    ByteRange piece;
    ByteOffset received; ///< up to here
    bool active = false;
};

class TorrentSource final : public OpSource {
  public:
    TorrentSource(const WorkloadSettings& settings, Header header)
        : header_(std::move(header)), dice_(settings.seed), ops_(settings.ops) {
        wanted_.resize(header_.files.size());
        for (std::uint32_t file = 0; file < header_.files.size(); ++file) {
            for (std::uint8_t map = 0; map < kMapsPerFile; ++map) {
                Connection connection;
                connection.file = FileIndex{file};
                connection.map = MapIndex{map};
                connection.by = WorkerIndex{
                    static_cast<std::uint16_t>(connections_.size() % header_.workers())};
                connections_.push_back(connection);
            }
        }
        begin_download();
    }

    [[nodiscard]] const Header& header() const override { return header_; }

    bool more(std::vector<Op>& out) override {
        if (ops_ && next_id_ > *ops_) {
            return false;
        }
        if (complete()) {
            if (!ops_) {
                return false;
            }
            check_from_disk(out);
            begin_download();
        }
        receive(out);
        return true;
    }

  private:
    /// All pieces of all files are wanted, in random order, as clients ask for the rarest first.
    void begin_download() {
        for (std::size_t file = 0; file < wanted_.size(); ++file) {
            const std::uint64_t size = header_.files[file].size.value;
            for (std::uint64_t begin = 0; begin < size; begin += kPiece) {
                wanted_[file].push_back(
                    {ByteOffset{begin}, ByteOffset{std::min(begin + kPiece, size)}});
            }
            dice_.shuffle(wanted_[file]);
        }
    }

    [[nodiscard]] bool complete() const {
        return std::ranges::none_of(connections_, &Connection::active) &&
               std::ranges::all_of(wanted_, &std::vector<ByteRange>::empty);
    }

    Op& add(std::vector<Op>& out, OpKind kind, const Connection* connection = nullptr) {
        Op op;
        op.id.value = next_id_++;
        op.kind = kind;
        if (connection != nullptr) {
            op.file = connection->file;
            op.map = traits_of(kind).has_map ? connection->map : MapIndex{};
            op.by = connection->by;
        }
        out.push_back(std::move(op));
        return out.back();
    }
    static void set_range(Op& op, ByteRange range) {
        op.offset = range.begin;
        op.length = range.size();
    }

    /// One round over all connections. Each receives a burst, or nothing.
    void receive(std::vector<Op>& out) {
        dice_.shuffle(connections_);
        for (Connection& connection : connections_) {
            if (!connection.active && !begin_piece(out, connection)) {
                continue;
            }
            if (dice_.below(4) != 0) {
                receive_burst(out, connection);
            }
        }
        ++rounds_;
        if (rounds_ % kRoundsPerCommit == 0) {
            add(out, OpKind::commit); // some other program's fsync
        }
        if (rounds_ % kRoundsPerFlush == 0) {
            flush_some(out);
        }
        add(out, OpKind::pause).pause = kPauseMicroseconds / 2 + dice_.below(kPauseMicroseconds);
    }

    bool begin_piece(std::vector<Op>& out, Connection& connection) {
        std::vector<ByteRange>& wanted = wanted_[connection.file.value];
        if (wanted.empty()) {
            return false;
        }
        connection.piece = wanted.back();
        connection.received = connection.piece.begin;
        connection.active = true;
        wanted.pop_back();
        set_range(add(out, OpKind::map, &connection), connection.piece);
        return true;
    }

    /// One to three recv() calls. None goes past the end of a block.
    void receive_burst(std::vector<Op>& out, Connection& connection) {
        for (std::uint64_t calls = 1 + dice_.below(3); calls > 0 && connection.active; --calls) {
            const std::uint64_t begin = connection.received.value;
            const std::uint64_t in_piece = begin - connection.piece.begin.value;
            const std::uint64_t end =
                std::min({begin + kSegment * (1 + dice_.below(kSegmentsAtOnce)),
                          begin + kBlock - in_piece % kBlock, connection.piece.end.value});
            connection.received = ByteOffset{end};
            set_range(add(out, OpKind::store, &connection), {ByteOffset{begin}, ByteOffset{end}});
            if (connection.received == connection.piece.end) {
                end_piece(out, connection);
            }
        }
    }

    void end_piece(std::vector<Op>& out, Connection& connection) {
        set_range(add(out, OpKind::live_check, &connection), connection.piece);
        set_range(add(out, OpKind::msync_async, &connection), connection.piece);
        add(out, OpKind::unmap, &connection);
        connection.active = false;
    }

    /// What background writeback does some seconds later: it writes one piece in flight.
    void flush_some(std::vector<Op>& out) {
        const Connection& connection = connections_[dice_.below(connections_.size())];
        if (connection.active && connection.received > connection.piece.begin) {
            set_range(add(out, OpKind::sync_file_range, &connection),
                      {connection.piece.begin, connection.received});
        }
    }

    /// The user adds the torrent again: its files are checked, then emptied.
    void check_from_disk(std::vector<Op>& out) {
        for (const Connection& connection : connections_) {
            if (connection.map.value != 0) {
                continue;
            }
            add(out, OpKind::evict, &connection);
            add(out, OpKind::read_check, &connection);
            add(out, OpKind::truncate, &connection);
            add(out, OpKind::truncate, &connection).length =
                header_.files[connection.file.value].size;
        }
    }

    Header header_;
    Dice dice_;
    std::optional<std::uint64_t> ops_;
    std::uint64_t next_id_ = 1;
    std::uint64_t rounds_ = 0;
    std::vector<std::vector<ByteRange>> wanted_; ///< of each file, pieces that no peer sends yet
    std::vector<Connection> connections_;
};

} // namespace

std::expected<std::unique_ptr<OpSource>, std::string>
make_torrent(const WorkloadSettings& settings) {
    return make_source<TorrentSource>(
        settings, header_for(settings, kTorrentName, kDefaultSize, kDefaultFiles));
}

} // namespace mmapstress
