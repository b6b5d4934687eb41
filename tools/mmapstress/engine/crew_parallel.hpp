// The crew of more than one worker; see crew.hpp.
#pragma once

#include "tools/mmapstress/engine/crew.hpp"

namespace mmapstress {

/// Crew::assemble() for a header with several workers.
Outcome<std::unique_ptr<Crew>> assemble_parallel(Crew::Setting setting);

} // namespace mmapstress
