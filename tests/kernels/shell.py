#!/usr/bin/python3
"""Uses run.sh --shell as a person at a terminal does, and checks what the guest prints.

  shell.py COMMAND...
"""
import os
import pty
import re
import select
import sys
import time

PROMPT = b"guest# "
SECONDS = 900  # enough on a busy machine; a shell that has not come by then never comes


class Terminal:
    def __init__(self, command):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvp(command[0], command)
        self.said = b""

    def wait_for(self, words):
        """The output up to these words, without them."""
        deadline = time.monotonic() + SECONDS
        while words not in self.said:
            if not select.select([self.fd], [], [], max(0, deadline - time.monotonic()))[0]:
                raise TimeoutError(f"no {words!r} in {self.said.decode(errors='replace')}")
            try:
                self.said += os.read(self.fd, 4096)
            except OSError:  # the other end is closed
                raise EOFError(f"no {words!r} in {self.said.decode(errors='replace')}") from None
        before, _, self.said = self.said.partition(words)
        return before.decode(errors="replace")

    def ask(self, line):
        os.write(self.fd, line.encode() + b"\n")
        return self.wait_for(PROMPT)

    def end(self):
        """Waits for the end of the output. Returns the exit code."""
        os.write(self.fd, b"exit\n")
        try:
            while os.read(self.fd, 4096):
                pass
        except OSError:
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def main():
    terminal = Terminal(sys.argv[1:])
    print(terminal.wait_for(PROMPT))
    mounts = terminal.ask("cat /proc/mounts")
    print(mounts)
    assert re.search(r" /mnt reiserfs rw\S*data=ordered|/mnt reiserfs ", mounts), mounts
    terminal.ask("echo it is written >/mnt/file; sync")
    assert "it is written" in terminal.ask("cat /mnt/file")
    code = terminal.end()
    assert code == 0, f"exit code {code}"


if __name__ == "__main__":
    main()
