#include "tools/mmapstress/workloads/apt/cache_builder.hpp"

#include "tools/mmapstress/workloads/apt/cache_layout.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <new>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace mmapstress::apt {
namespace {

using partialfs::model::ByteCount;
using partialfs::model::ByteOffset;
using partialfs::model::ByteRange;

/// Thrown only inside build_cache(), which catches it and returns an error.
struct OutOfRoom : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// The mapped file. Allocates room in it as apt's DynamicMMap did, and records each change as a
/// step.
class Memory {
  public:
    explicit Memory(ByteCount limit) : image_(limit.value) {
        if (limit.value < sizeof(Header)) {
            throw OutOfRoom("the limit is smaller than the cache's header");
        }
        step(CacheStep::Kind::create, {ByteOffset{0}, ByteOffset{limit.value}});
        step(CacheStep::Kind::map, {ByteOffset{0}, ByteOffset{limit.value}});
        used_ = sizeof(Header);
    }

    [[nodiscard]] Header& header() { return *reinterpret_cast<Header*>(image_.data()); }
    template <typename Record>
    [[nodiscard]] Record& at(Ref<Record> ref) {
        return *reinterpret_cast<Record*>(image_.data() + ref.offset());
    }

    /// Records a store of `object`, a part of the image that has just been changed.
    template <typename Object>
    void store(const Object& object) {
        const auto* bytes = reinterpret_cast<const std::byte*>(&object);
        store_bytes(static_cast<std::uint64_t>(bytes - image_.data()), sizeof(Object));
    }
    /// Sets `field` of the image to a value, and records the store.
    template <typename Field>
    void set(Field& field, std::type_identity_t<Field> value) {
        field = value;
        store(field);
    }

    /// A zeroed record from the pool of its size; moves the pool's cursors in the header.
    template <typename Record>
    Ref<Record> allocate() {
        Pool& pool = pool_of(sizeof(Record));
        if (pool.count == 0) {
            const std::uint64_t records = kPoolBytes / sizeof(Record);
            pool.item_size = sizeof(Record);
            pool.start = allocate_bytes(records * sizeof(Record), sizeof(Record));
            pool.count = records;
        }
        const std::uint64_t offset = pool.start;
        pool.start += sizeof(Record);
        --pool.count;
        store(pool);
        return {static_cast<std::uint32_t>(offset / sizeof(Record))};
    }

    /// Puts the string, with its final zero byte, at the end of the used part.
    StringRef write_string(std::string_view text) {
        const std::uint64_t offset = allocate_bytes(text.size() + 1, 1);
        std::memcpy(image_.data() + offset, text.data(), text.size());
        store_bytes(offset, text.size() + 1);
        return {static_cast<std::uint32_t>(offset)};
    }

    void step(CacheStep::Kind kind, ByteRange range) { steps_.push_back({kind, range, {}}); }
    void read_list() { step(CacheStep::Kind::read_list, {}); }

    /// Synchronise, clear the dirty flag, synchronise the header, unmap, cut to the used size.
    CacheBuild finish() {
        const ByteRange all{ByteOffset{0}, ByteOffset{image_.size()}};
        const ByteRange head{ByteOffset{0}, ByteOffset{sizeof(Header)}};
        step(CacheStep::Kind::msync, all);
        set(header().dirty, 0);
        step(CacheStep::Kind::msync, head);
        step(CacheStep::Kind::unmap, all);
        step(CacheStep::Kind::truncate, {ByteOffset{0}, ByteOffset{used_}});
        image_.resize(used_);
        return {std::move(steps_), std::move(image_)};
    }

  private:
    Pool& pool_of(std::uint64_t item_size) {
        for (Pool& pool : header().pools) {
            if (pool.item_size == item_size || pool.item_size == 0) {
                return pool;
            }
        }
        throw std::logic_error("more record sizes than pools");
    }
    std::uint64_t allocate_bytes(std::uint64_t size, std::uint64_t alignment) {
        const std::uint64_t offset = (used_ + alignment - 1) / alignment * alignment;
        if (offset + size > image_.size()) {
            throw OutOfRoom("the cache needs more than its limit of " +
                            std::to_string(image_.size()) + " bytes");
        }
        used_ = offset + size;
        return offset;
    }
    void store_bytes(std::uint64_t offset, std::uint64_t size) {
        const auto* first = image_.data() + offset;
        steps_.push_back({CacheStep::Kind::store,
                          {ByteOffset{offset}, ByteOffset{offset + size}},
                          {first, first + size}});
    }

    std::vector<std::byte> image_;
    std::uint64_t used_ = 0;
    std::vector<CacheStep> steps_;
};

class Generator {
  public:
    explicit Generator(ByteCount limit) : memory_(limit) {
        Header& header = memory_.header();
        header.signature = Header::kSignature;
        header.major = Header::kMajor;
        header.minor = Header::kMinor;
        header.dirty = 1;
        header.header_size = sizeof(Header);
        header.package_size = sizeof(Package);
        header.package_file_size = sizeof(PackageFile);
        header.version_size = sizeof(Version);
        header.dependency_size = sizeof(Dependency);
        header.provides_size = sizeof(Provides);
        header.version_file_size = sizeof(VersionFile);
        memory_.store(header);
        memory_.step(CacheStep::Kind::msync, {ByteOffset{0}, ByteOffset{sizeof(Header)}});
        memory_.set(header.version_system, memory_.write_string("Debian dpkg interface"));
        memory_.set(header.architecture, memory_.write_string("amd64"));
    }

    void add_file(const IndexFile& file) {
        const auto ref = memory_.allocate<PackageFile>();
        PackageFile& record = memory_.at(ref);
        record.file_name = memory_.write_string(file.name);
        record.next = memory_.header().files;
        record.id = static_cast<std::uint32_t>(memory_.header().package_file_count);
        record.archive = unique_string("testing");
        record.component = unique_string(file.component);
        record.origin = unique_string("Debian");
        record.label = unique_string("Debian");
        record.site = unique_string("ftp.debian.org");
        record.index_type = unique_string("Debian Package Index");
        record.architecture = memory_.header().architecture;
        record.size = file.stanzas.empty() ? 0
                                           : file.stanzas.back().position +
                                                 std::uint64_t{file.stanzas.back().length};
        memory_.store(record);
        memory_.set(memory_.header().files, ref);
        count(memory_.header().package_file_count);
        for (const Stanza& stanza : file.stanzas) {
            memory_.read_list();
            add_stanza(ref, stanza);
        }
    }

    CacheBuild finish() { return memory_.finish(); }

  private:
    void count(std::uint64_t& counter) { memory_.set(counter, counter + 1); }

    /// The only copy of `text`: apt keeps such strings in a list in alphabetical order.
    StringRef unique_string(const std::string& text) {
        const auto [place, inserted] = strings_.try_emplace(text);
        if (!inserted) {
            return memory_.at(place->second).text;
        }
        const auto ref = memory_.allocate<StringItem>();
        place->second = ref;
        Ref<StringItem>& link = place == strings_.begin()
                                    ? memory_.header().strings
                                    : memory_.at(std::prev(place)->second).next;
        StringItem& item = memory_.at(ref);
        item.text = memory_.write_string(text);
        item.next = link;
        memory_.store(item);
        memory_.set(link, ref);
        count(memory_.header().string_count);
        return item.text;
    }

    Ref<Package> package(const std::string& name) {
        const auto [place, inserted] = packages_.try_emplace(name);
        if (!inserted) {
            return place->second;
        }
        const auto ref = memory_.allocate<Package>();
        place->second = ref;
        Header& header = memory_.header();
        Ref<Package>& bucket = header.buckets[bucket_of(name)];
        Package& record = memory_.at(ref);
        record.next = bucket;
        memory_.store(record.next);
        memory_.set(bucket, ref);
        memory_.set(record.name, memory_.write_string(name));
        memory_.set(record.id, static_cast<std::uint32_t>(header.package_count));
        count(header.package_count);
        return ref;
    }

    /// The version of the stanza. If the package does not have it yet, makes it, at the head of its
    /// list.
    Ref<Version> version(Ref<Package> parent, const Stanza& stanza) {
        const auto [place, inserted] = versions_.try_emplace({stanza.package, stanza.version});
        if (!inserted) {
            return place->second;
        }
        const auto ref = memory_.allocate<Version>();
        place->second = ref;
        Version& record = memory_.at(ref);
        record.parent = parent;
        record.next = memory_.at(parent).versions;
        record.id = static_cast<std::uint32_t>(memory_.header().version_count);
        memory_.store(record);
        memory_.set(memory_.at(parent).versions, ref);
        count(memory_.header().version_count);
        memory_.set(record.text, memory_.write_string(stanza.version));
        record.section = unique_string(stanza.section);
        record.architecture = memory_.header().architecture;
        record.size = stanza.size;
        record.installed_size = stanza.size * 3;
        record.hash = static_cast<std::uint16_t>(stanza.size % 65521);
        record.priority = stanza.priority;
        memory_.store(record);
        for (const Relation& relation : stanza.relations) {
            add_dependency(ref, relation);
        }
        for (const std::string& name : stanza.provides) {
            add_provides(ref, name);
        }
        return ref;
    }

    void add_stanza(Ref<PackageFile> file, const Stanza& stanza) {
        const auto owner = package(stanza.package);
        memory_.set(memory_.at(owner).section, unique_string(stanza.section));
        const auto ref = version(owner, stanza);
        add_version_file(ref, file, stanza);
        if (stanza.installed) {
            Package& record = memory_.at(owner);
            memory_.set(record.selected_state, 1);
            memory_.set(record.current_state, 6);
            memory_.set(record.current, ref);
        }
    }

    void add_version_file(Ref<Version> owner, Ref<PackageFile> file, const Stanza& stanza) {
        const auto ref = memory_.allocate<VersionFile>();
        VersionFile& record = memory_.at(ref);
        record = {file, {}, stanza.position, stanza.length};
        memory_.store(record);
        append(memory_.at(owner).files, ref);
        Header& header = memory_.header();
        count(header.version_file_count);
        if (stanza.length > header.longest_version_file) {
            memory_.set(header.longest_version_file, stanza.length);
        }
    }

    void add_dependency(Ref<Version> owner, const Relation& relation) {
        const auto ref = memory_.allocate<Dependency>();
        const auto target = package(relation.package);
        Dependency& record = memory_.at(ref);
        record.parent = owner;
        record.type = relation.type;
        record.compare = relation.compare;
        record.id = static_cast<std::uint32_t>(memory_.header().dependency_count);
        if (!relation.version.empty()) {
            record.version = memory_.write_string(relation.version);
        }
        record.target = target;
        record.next_reverse = memory_.at(target).reverse_depends;
        memory_.store(record);
        memory_.set(memory_.at(target).reverse_depends, ref);
        append(memory_.at(owner).depends, ref);
        count(memory_.header().dependency_count);
    }

    void add_provides(Ref<Version> owner, const std::string& name) {
        const auto ref = memory_.allocate<Provides>();
        const auto provided = package(name);
        Provides& record = memory_.at(ref);
        record.provided = provided;
        record.version = owner;
        record.next = memory_.at(owner).provides;
        record.next_package = memory_.at(provided).provided_by;
        memory_.store(record);
        memory_.set(memory_.at(owner).provides, ref);
        memory_.set(memory_.at(provided).provided_by, ref);
        count(memory_.header().provides_count);
    }

    /// Puts `ref` at the end of the list that begins at `head`: this stores a link into an earlier
    /// page.
    template <typename Record>
    void append(Ref<Record>& head, Ref<Record> ref) {
        Ref<Record>* link = &head;
        while (*link) {
            link = &memory_.at(*link).next;
        }
        memory_.set(*link, ref);
    }

    Memory memory_;
    std::map<std::string, Ref<StringItem>> strings_;
    std::map<std::string, Ref<Package>> packages_;
    std::map<std::pair<std::string, std::string>, Ref<Version>> versions_;
};

} // namespace

std::expected<CacheBuild, std::string> build_cache(const Distribution& distribution,
                                                   ByteCount limit) {
    try {
        Generator generator{limit};
        for (const IndexFile& file : distribution.files) {
            generator.add_file(file);
        }
        return generator.finish();
    } catch (const OutOfRoom& error) {
        return std::unexpected(error.what());
    }
}

} // namespace mmapstress::apt
