// The workers that carry a schedule out: threads, in one process or in several.
//
// Worker w belongs to process w / threads. Operations that are `alone` (op.hpp), or that change
// bytes which another worker has changed since (changed_together() of op_effect.hpp; what changes a
// file's size changes all that follows), wait until all workers are done; the others run at the
// same time, each worker's in their order. So the bytes at the end do not depend on timing.
//
// The other processes are forked at the start, each with a source of operations of its own, and are
// told through a pipe how far to walk. They have mappings of their own.
#pragma once

#include "tools/mmapstress/engine/executor.hpp"
#include "tools/schedule/op_source.hpp"

#include <memory>
#include <optional>
#include <string>

namespace mmapstress {

/// Not thread-safe: one thread gives the orders. Ends and awaits threads and processes when it
/// goes.
class Crew {
  public:
    struct Setting {
        ExecutorSetting work;
        OpSourceFactory factory;
        ByteCount folio{kPageSize}; ///< the filesystem's largest, for changed_together()
    };

    /// Forks the processes and starts the threads. Call it before the process has other threads.
    static Outcome<std::unique_ptr<Crew>> assemble(Setting setting);

    Crew(const Crew&) = delete;
    Crew& operator=(const Crew&) = delete;
    virtual ~Crew() = default;

    /// Carries the operation out, now or before finish() returns. Operations come in order, each
    /// with append's offset; sizes of the files are as before the operation. Checks are not for the
    /// crew. Of a failure the id is set to the operation's.
    virtual Outcome<> execute(const Op& op, OpId& failed) = 0;
    /// Returns when all that was ordered is done.
    virtual Outcome<> finish(OpId& failed) = 0;
    /// The last operation that is carried out; all before it are too. Between two of its values the
    /// order of the operations is not certain.
    [[nodiscard]] virtual OpId reached() const = 0;
    /// The header's end for one file, all processes' mappings included.
    virtual Outcome<> end(FileIndex file, End how) = 0;
    /// evict's steps after its fsync.
    virtual Outcome<> drop_cache(FileIndex file) = 0;

  protected:
    Crew() = default;
};

} // namespace mmapstress
