// ^C, SIGTERM and SIGHUP end the schedule, not the program: what was done is still verified.
#pragma once

namespace mmapstress {

/// From now on the first SIGINT, SIGTERM or SIGHUP (unless it is ignored, as by nohup) is only
/// noted; the second of its kind ends the program as it would without this. Called before the first
/// file is made.
void note_stop_signals();
/// Whether one has come. Any thread.
bool stop_signalled();

} // namespace mmapstress
