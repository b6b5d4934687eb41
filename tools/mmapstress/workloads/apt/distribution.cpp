#include "tools/mmapstress/workloads/apt/distribution.hpp"

#include "tools/mmapstress/workloads/dice.hpp"

#include <array>
#include <string_view>

namespace mmapstress::apt {
namespace {

constexpr std::array<std::string_view, 16> kStems{
    "alsa", "cairo", "dbus",  "exim4", "fontconfig", "gconf", "hal",  "icu",
    "jack", "krb5",  "ldap2", "mysql", "ncurses",    "orbit", "perl", "qt3"};
constexpr std::array<std::string_view, 8> kEndings{"",     "-dev",    "-doc",   "-bin",
                                                   "-dbg", "-common", "-utils", "-data"};
constexpr std::array<std::string_view, 8> kSections{"admin", "base", "devel", "doc",
                                                    "libs",  "net",  "utils", "x11"};
constexpr std::array<std::string_view, 4> kVirtual{"mail-transport-agent", "www-browser", "editor",
                                                   "x-terminal-emulator"};

std::string package_name(std::size_t number) {
    std::string name = number % 3 == 0 ? "lib" : "";
    name += kStems[number % kStems.size()];
    name += std::to_string(number / kStems.size());
    name += kEndings[(number / 5) % kEndings.size()];
    return name;
}

std::string version_text(Dice& dice) {
    std::string text;
    const auto append = [&](std::string_view before, std::uint64_t number) {
        text += before;
        text += std::to_string(number);
    };
    if (dice.below(8) == 0) {
        append("", 1 + dice.below(3));
        text += ':';
    }
    append("", dice.below(9));
    append(".", dice.below(20));
    if (dice.below(2) == 0) {
        append(".", dice.below(10));
        append("+cvs2006", 10 + dice.below(3));
    }
    append("-", 1 + dice.below(12));
    return text;
}

Stanza make_stanza(Dice& dice, std::size_t number, std::size_t packages) {
    Stanza stanza;
    stanza.package = package_name(number);
    stanza.version = version_text(dice);
    stanza.section = dice.pick(kSections);
    stanza.size = static_cast<std::uint32_t>(1000 + dice.below(4'000'000));
    stanza.priority = static_cast<std::uint8_t>(1 + dice.below(5));
    for (std::size_t count = dice.below(6); count > 0; --count) {
        Relation relation;
        relation.package = dice.below(16) == 0 ? std::string(dice.pick(kVirtual))
                                               : package_name(dice.below(packages));
        relation.type = std::array<std::uint8_t, 4>{1, 1, 4, 6}[dice.below(4)];
        if (dice.below(2) == 0) {
            relation.version = version_text(dice);
            relation.compare = 2;
        }
        stanza.relations.push_back(std::move(relation));
    }
    if (dice.below(12) == 0) {
        stanza.provides.emplace_back(dice.pick(kVirtual));
    }
    stanza.installed = dice.below(3) == 0;
    stanza.length = static_cast<std::uint32_t>(400 + dice.below(1200));
    return stanza;
}

void append(IndexFile& file, Stanza stanza) {
    stanza.position =
        file.stanzas.empty() ? 0 : file.stanzas.back().position + file.stanzas.back().length + 1;
    file.stanzas.push_back(std::move(stanza));
}

} // namespace

Distribution make_distribution(std::uint64_t seed, std::size_t packages) {
    Dice dice{seed};
    const std::string lists = "/var/lib/apt/lists/ftp.debian.org_debian_dists_etch_";
    IndexFile main{lists + "main_binary-amd64_Packages", "main", {}};
    IndexFile contrib{lists + "contrib_binary-amd64_Packages", "contrib", {}};
    IndexFile status{"/var/lib/dpkg/status", "now", {}};
    for (std::size_t number = 0; number < packages; ++number) {
        Stanza stanza = make_stanza(dice, number, packages);
        if (stanza.installed) {
            append(status, stanza);
        }
        stanza.installed = false;
        append(dice.below(10) == 0 ? contrib : main, std::move(stanza));
    }
    return {{std::move(main), std::move(contrib), std::move(status)}};
}

} // namespace mmapstress::apt
