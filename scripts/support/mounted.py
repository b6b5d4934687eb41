"""A partialfs mount for Python programs, using mount.sh."""
import os
import subprocess


class Mounted:
    """Mounts on creation; RuntimeError says why it cannot. close() unmounts; so does the end of this process."""

    def __init__(self, log, program, directory, mount, *options):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "mount.sh")
        self._script = subprocess.Popen([script, log, program, directory, mount, *options], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        start_new_session=True)
        said = self._script.stdout.readline().split()
        if not said:
            raise RuntimeError(f"partialfs does not mount: {self._script.communicate()[1].strip()}")
        self.pid = int(said[1])  # the daemon's

    def close(self):
        """Unmounts. Returns the daemon's exit code."""
        self._script.communicate()
        return self._script.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
