// ^C and SIGTERM end the schedule, not the program: what was done is still verified.
#pragma once

namespace mmapstress {

/// From now on the first SIGINT or SIGTERM is only noted; the second ends the program as it would
/// without this.
void note_stop_signals();
/// Whether one has come. Any thread.
bool stop_signalled();

} // namespace mmapstress
