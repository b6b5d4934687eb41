"""Cuts the power under a program repeatedly, and checks what is left.

main(work, check) is a whole program:

  PROGRAM DIRECTORY COUNT

work(directory, acknowledge) uses files in the directory, and calls acknowledge(number) after each step that must
last; no number is used twice. It goes on until something fails. check(directory, acknowledged) returns what is wrong
with the files, or nothing; it may repair them, as the program does when it starts. On a partialfs mount with --power
the power is cut COUNT times; the number of a cut decides its moment and its torn sectors. Elsewhere work runs once,
for COUNT steps.
The result is in the file "result" in the directory. Exit code: 0; 2 if there is no result.
"""

import errno
import multiprocessing
import os
import random
import signal
import sys

STEPS_ELSEWHERE = 20


class Enough(Exception):
    pass


def moment(number):
    """For cut NUMBER: the command with what happens to the sectors, when it comes, and after how many steps at the
    latest."""
    dice = random.Random(number)
    at = dice.choice([f"op:{dice.randint(1, 400)}", f"fsync:{dice.randint(1, 12)} when={dice.choice(['before', 'after'])}",
                      f"commit:{dice.randint(1, 6)}"])
    tear = dice.choice(["512", "512", "4096", "512 keep-order"])
    return f"cut tear={tear} seed={dice.getrandbits(32)}", at, dice.randint(1, 30)


def worker(work, directory, count, most):
    def acknowledge(number):
        count.value = number
        if number >= most:
            raise Enough
    try:
        work(directory, acknowledge)
    except Enough:
        os._exit(0)
    except BaseException:  # the power cut, in whatever form the program reports it
        os._exit(1)


def start(work, directory, count, most):
    process = multiprocessing.Process(target=worker, args=(work, directory, count, most))
    process.start()
    return process


def tell(power, command):
    with open(power, "w", encoding="ascii") as file:
        file.write(command)


def cut(directory, number, work, count):
    """Cuts once, while the program works or after its last step."""
    power, fired = (os.path.join(directory, ".partialfs", name) for name in ("power", "fired"))
    command, at, steps = moment(number)
    tell(power, f"{command} at={at}")
    start(work, directory, count, count.value + steps).join()  # ends by EIO, by SIGBUS, or when it has done enough
    try:
        tell(power, command)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        with open(fired, encoding="ascii") as file:  # the cut has come; reading waits until it is done
            file.read()
    tell(power, "disarm")
    tell(power, "on")


def result_of(check, directory, acknowledged, results):
    results.send(check(directory, acknowledged))


def checked(check, directory, acknowledged):
    """What check() finds, in a process of its own: a library may end its process where its files are damaged, as LMDB
    does by assertions and by reading what is not mapped. That is damage; any other end without a result is an error."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.Process(target=result_of, args=(check, directory, acknowledged, sender))
    process.start()
    sender.close()
    try:
        wrong = receiver.recv()
    except EOFError:
        wrong = None
    process.join()
    if process.exitcode == 0:
        return wrong
    if -process.exitcode in (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS):
        return f"reading the files ends the process: {signal.Signals(-process.exitcode).name}"
    raise RuntimeError(f"the check ended with {process.exitcode}")


def judge(directory, cuts, work, check):
    count = multiprocessing.Value("Q", 0)
    if not os.path.exists(os.path.join(directory, ".partialfs", "power")):
        start(work, directory, count, STEPS_ELSEWHERE).join()
        return checked(check, directory, count.value)
    for number in range(1, cuts + 1):
        cut(directory, number, work, count)
        wrong = checked(check, directory, count.value)
        if wrong:
            print(f"cut {number}, {count.value} steps acknowledged: {wrong}")
            return wrong
    print(f"{cuts} cuts, {count.value} steps acknowledged")
    return None


def main(work, check):
    if len(sys.argv) != 3:
        sys.exit(2)
    wrong = judge(sys.argv[1], int(sys.argv[2]), work, check)
    with open(os.path.join(sys.argv[1], "result"), "w", encoding="utf-8") as file:
        file.write("damaged\n" if wrong else "all that was acknowledged is there\n")
        file.flush()
        os.fsync(file.fileno())
