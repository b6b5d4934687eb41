// Steps and states of the machine in words: shared by every format and by the player.
#pragma once

#include "tools/vmmodel/explore/explore.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace vmmodel {

/// "process", or "process 1" where there are two; "writeback", "kjournald", ...
std::string name_of(Who who, const Bounds& bounds);
/// "lost", "fsync not durable", ...
std::string_view name_of(Harm harm);
/// A sentence for people.
std::string_view sentence_of(Harm harm);
/// "store", "write(2)", "commit", "writepage", ...: what begins an event.
std::string_view event_name(Step step);
/// "store, commit, store, writepage".
std::string list_of(const std::vector<Step>& events);

/// The kernel function and what it works on: "store instruction, block 1 := B".
std::string text_of(const Run::Taken& taken, const Bounds& bounds);
/// What a step means, in a few words; empty where its name says it.
std::string_view meaning_of(const Run::Taken& taken, const State& before, const EraRules& era);

/// A version as a letter: '.' is what the disk had at first, then A, B, C and so on.
char letter_of(unsigned version);
/// "-", "r", "rw" and a "d" for dirty.
std::string pte_text(const PageCell& cell, int process);
/// "D" for PG_dirty, "W" for PG_writeback, "L" for locked; "-" for none of them.
std::string flags_text(const State& state, int page);
/// A letter for each block: 'd' dirty, 'o' on the ordered list, 'x' both, 'c' with the committing
/// transaction, '~' on its way to the disk, '-' clean.
std::string blocks_text(const PageCell& cell, int blocks);
/// The versions in memory, or on disk, a letter for each block.
std::string memory_text(const PageCell& cell, int blocks);
std::string disk_text(const PageCell& cell, int blocks);

/// Whether a thread holds the page lock.
bool page_locked(const State& state, int page);

} // namespace vmmodel
