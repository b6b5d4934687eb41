#include "tools/mmapstress/system/block_device.hpp"

#include "fusefs/base/try.hpp"
#include "tools/mmapstress/system/files.hpp"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

namespace mmapstress {

namespace {

using partialfs::base::Fd;

struct Signature {
    std::string_view what;
    std::size_t offset;
    std::string_view bytes;
};

using namespace std::string_view_literals;

// As written by the programs that make these filesystems, tables and volumes.
constexpr std::array kSignatures{
    Signature{"ext2, ext3 or ext4", 1080, "\x53\xef"sv},
    Signature{"XFS", 0, "XFSB"sv},
    Signature{"btrfs", 0x10040, "_BHRfS_M"sv},
    Signature{"F2FS", 1024, "\x10\x20\xf5\xf2"sv},
    Signature{"EROFS", 1024, "\xe2\xe1\xf5\xe0"sv},
    Signature{"squashfs", 0, "hsqs"sv},
    Signature{"reiserfs", 0x10034, "ReIsEr"sv},
    Signature{"JFS", 0x8000, "JFS1"sv},
    Signature{"NILFS2", 1030, "\x34\x34"sv},
    Signature{"NTFS", 3, "NTFS    "sv},
    Signature{"exFAT", 3, "EXFAT   "sv},
    Signature{"FAT", 54, "FAT1"sv},
    Signature{"FAT", 82, "FAT32   "sv},
    Signature{"ISO 9660", 0x8001, "CD001"sv},
    Signature{"bcachefs or bcache", 0x1018, "\xc6\x85\x73\xf6\x4e\x1a\x45\xca"sv},
    Signature{"swap space", 4086, "SWAPSPACE2"sv},
    Signature{"an encrypted volume (LUKS)", 0, "LUKS\xba\xbe"sv},
    Signature{"a physical volume (LVM)", 512, "LABELONE"sv},
    Signature{"a part of a RAID array", 0, "\xfc\x4e\x2b\xa9"sv},
    Signature{"a part of a RAID array", 4096, "\xfc\x4e\x2b\xa9"sv},
    Signature{"a partition table (GPT)", 512, "EFI PART"sv},
    Signature{"a partition table (GPT)", 4096, "EFI PART"sv},
    Signature{"a partition table or a boot sector", 510, "\x55\xaa"sv},
};

} // namespace

std::optional<std::string_view> signature_in(std::span<const std::byte> first) {
    for (const Signature& signature : kSignatures) {
        if (first.size() >= signature.offset + signature.bytes.size() &&
            std::memcmp(first.data() + signature.offset, signature.bytes.data(),
                        signature.bytes.size()) == 0) {
            return signature.what;
        }
    }
    return std::nullopt;
}

Outcome<OwnDevice> open_device(const std::string& path) {
    auto fd = Fd::open(AT_FDCWD, path.c_str(), O_RDWR | O_EXCL);
    if (!fd) {
        return failed(errno == EBUSY ? path + " is mounted or in use" : "cannot open " + path,
                      fd.error());
    }
    struct stat found{};
    if (::fstat(fd->get(), &found) != 0 || !S_ISBLK(found.st_mode)) {
        return refused(path + " is no block device");
    }
    std::uint64_t size = 0;
    if (::ioctl(fd->get(), BLKGETSIZE64, &size) != 0) {
        return failed("cannot get the size of " + path);
    }
    std::vector<std::byte> first(std::min<std::uint64_t>(kSignatureBytes, size));
    const auto got = TRY(read_bytes(fd->get(), first, ByteOffset{0}, path));
    if (const auto what = signature_in(std::span(first).first(got))) {
        return refused(path + " holds " + std::string(*what) +
                       ": it is not written over (wipefs takes a signature away)");
    }
    return OwnDevice{std::move(*fd), ByteCount{size}};
}

} // namespace mmapstress
