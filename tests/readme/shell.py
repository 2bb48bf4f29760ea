"""One shell for the commands of a page."""
import os
import pathlib
import select
import shlex
import subprocess
import time

MOST_SECONDS = 120


class Shell:
    """In a folder, where each command's output becomes a file."""

    def __init__(self, folder, environment):
        self.outputs = pathlib.Path(folder, ".outputs")
        self.outputs.mkdir()
        self.count = 0
        self.ends, write = os.pipe()
        self.bash = subprocess.Popen(["bash", "--norc"], stdin=subprocess.PIPE, cwd=folder,
                                     env=environment, text=True, pass_fds=[write])
        self.control = write
        os.close(write)

    def run(self, command):
        """What it printed, both ways, and its exit status. Of one that stays in the background,
        the first line that it prints."""
        self.count += 1
        output = self.outputs / str(self.count)
        self.bash.stdin.write(
            f"eval {shlex.quote(command)} >{output} 2>&1 </dev/null {self.control}>&-\n"
            f"echo $? >&{self.control}\n")
        self.bash.stdin.flush()
        if not select.select([self.ends], [], [], MOST_SECONDS)[0]:
            self.bash.kill()
            raise TimeoutError(f"{command}: still runs after {MOST_SECONDS} s")
        status = int(os.read(self.ends, 16) or -1)
        if command.endswith("&"):
            until = time.monotonic() + 10
            while "\n" not in output.read_text() and time.monotonic() < until:
                time.sleep(0.01)
            return output.read_text().partition("\n")[0], status
        return output.read_text(), status

    def end_jobs(self):
        """Ends what is in the background, and gives what there is to say against how it ended."""
        said, _ = self.run('for job in $(jobs -p); do kill "$job"; wait "$job" || '
                           'echo "a job ended with $?"; done')
        return said

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.bash.stdin.close()
        self.bash.wait()
        os.close(self.ends)
