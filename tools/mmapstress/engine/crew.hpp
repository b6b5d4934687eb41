// The workers that carry a schedule out: threads, in one process or in several.
//
// Worker w belongs to process w / threads. An operation waits until all workers are done if it is
// `alone` (op.hpp), or if it changes bytes that another worker has changed since the last such wait
// (changed_together() of op_effect.hpp; a change of a file's size changes all bytes behind it). All
// other operations run at the same time; each worker carries out its own in order. So the bytes at
// the end do not depend on timing.
//
// The other processes are forked at the start. Each has its own source of operations and its own
// mappings, and receives through a socket how far to walk.
#pragma once

#include "tools/mmapstress/engine/executor.hpp"
#include "tools/schedule/op_source.hpp"

#include <memory>
#include <optional>
#include <string>

namespace mmapstress {

/// Not thread-safe: one thread gives the orders. The destructor ends the threads and processes and
/// waits for them.
class Crew {
  public:
    struct Setting {
        ExecutorSetting work;
        OpSourceFactory factory;
        ByteCount folio{kPageSize}; ///< the filesystem's largest folio, for changed_together()
    };

    /// Forks the processes and starts the threads. Call it before the process has other threads.
    static Outcome<std::unique_ptr<Crew>> assemble(Setting setting);

    Crew(const Crew&) = delete;
    Crew& operator=(const Crew&) = delete;
    virtual ~Crew() = default;

    /// Carries the operation out, now or before finish() returns. Operations must come in order,
    /// appends with their offset; the files' sizes must be those before the operation. Checks are
    /// not for the crew. After a failure `failed` is the id of the operation that failed.
    virtual Outcome<> execute(const Op& op, OpId& failed) = 0;
    /// Returns when all ordered operations are done.
    virtual Outcome<> finish(OpId& failed) = 0;
    /// The last operation that is certainly carried out, as are all before it. The order of the
    /// operations between two of its values is not known.
    [[nodiscard]] virtual OpId reached() const = 0;
    /// Ends one file as the header says, with the mappings of all processes.
    virtual Outcome<> end(FileIndex file, End how) = 0;
    /// The steps of evict that follow its fsync.
    virtual Outcome<> drop_cache(FileIndex file) = 0;

  protected:
    Crew() = default;
};

} // namespace mmapstress
