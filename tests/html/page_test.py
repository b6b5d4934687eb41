#!/usr/bin/env python3
"""Opens the page of `mmapstress explain --html` in a headless Chromium, and uses it.

usage: page_test.py MMAPSTRESS [SCREENSHOT.png]

Exit code: 0 all good; 1 not; 77 chromium or chromedriver is not installed.
"""

import base64
import json
import os
import subprocess
import sys
import tempfile

from browser import Browser, missing

PAGE = 4096
STAGES = ["during", "live", "pread", "evicted", "direct", "disk"]


def damage(offset, length, kind, lost, origin=None):
    return {"file": 0, "path": "/m/mmapstress.x/file0", "offset": offset, "length": length,
            "page": offset // PAGE, "in_page": offset % PAGE, "aligned": 1, "kind": kind,
            "stages": ["evicted", "disk"], "lost": lost, "origin": origin,
            "operations": sorted({lost, origin or lost})}


def report(size, ranges):
    """A report as the tool writes it."""
    named = {str(op): f"{op} store file=0 off={op} len=9" for op in range(1, 4)}
    return {"format": "mmapstress-report", "version": 1, "made_by": "1.0.0", "verdict": "damaged",
            "hung": False, "state": "finished", "seed": 7, "workload": "mix", "kernel": "6.18",
            "filesystem": "fuse.partialfs", "partialfs": "/m", "disk": None,
            "directory": "/m/mmapstress.x", "kept": True, "synced": True, "on_disk": True,
            "files": [{"path": "/m/mmapstress.x/file0</script>", "size": size},
                      {"path": "/m/mmapstress.x/file1", "size": PAGE}],
            "memory": None, "rounds": 1,
            "operations": {"done": 3, "last": 3, "seconds": 1.0, "by_kind": {"store": 3}},
            "stages": [{"stage": stage, "state": "checked", "reason": None, "bytes": size, "stored": 9,
                        "holes": 0, "wrong": 0, "ranges": 0, "seconds": 0.1} for stage in STAGES],
            "damage": ranges, "damage_not_kept": 0, "named_operations": named,
            "named_times": {"1": 1000000, "2": 4000000, "3": 5000000}, "problems": [], "judgement": [],
            "cut_short": None, "settings": None,
            "schedule": "mmapstress-schedule 1\nseed 7\n" + f"file 0 size={size} start=sparse\n"
                        f"file 1 size={PAGE} start=sparse\n"
                        "1 store file=0 off=4100 len=9\n2 store file=0 off=4100 len=9\n"
                        "3 store file=0 off=9000 len=9\n",
            "schedule_file": None}


def trace():
    """The trace of the loss in page 1, as partialfs writes it."""
    path = "mmapstress.x/file0</script>"
    events = [
        {"t": 2000000, "seq": 1, "event": "page-dirty", "inode": 5, "path": path, "page": 1,
         "blocks": "1111"},
        {"t": 3000000, "seq": 2, "event": "ordered-flush", "inode": 5, "path": path, "page": 1,
         "blocks": "1111", "commit": 8},
        {"t": 3100000, "seq": 3, "event": "commit", "commit": 8},
        {"t": 6000000, "seq": 4, "event": "writepage", "inode": 5, "path": path, "page": 1,
         "blocks": "0000", "written": "0000", "skipped": "1111"},
        {"t": 6500000, "seq": 5, "event": "commit", "commit": 9}]
    return "".join(json.dumps(event) + "\n" for event in events)


class Pages:
    """Makes pages, and collects errors in them."""

    def __init__(self, mmapstress, directory):
        self.mmapstress, self.directory, self.wrong = mmapstress, directory, []

    def make(self, name, content, *options):
        path = os.path.join(self.directory, name)
        with open(path + ".json", "w", encoding="utf-8") as file:
            json.dump(content, file)
        done = subprocess.run([self.mmapstress, "explain", path + ".json", "--html", path + ".html",
                               *options], capture_output=True, text=True, check=False)
        self.equal(1, done.returncode, "the exit code is the report's: " + done.stderr)
        self.equal("", done.stdout, "what is printed")
        return path + ".html"

    def equal(self, expected, found, what):
        if expected != found:
            self.wrong.append(f"{what}: {found!r}, not {expected!r}")

    def holds(self, part, whole, what):
        if part not in whole:
            self.wrong.append(f"{what}: no {part!r} in {whole!r}")


def small_page(pages, browser):
    """Three damaged ranges, one with a trace."""
    trace_path = os.path.join(pages.directory, "trace")
    with open(trace_path, "w", encoding="utf-8") as file:
        file.write(trace())
    ranges = [damage(4100, 9, "stale", 2, 1), damage(9000, 9, "zeros", 3),
              damage(40000, 20, "foreign", 0)]
    browser.open(pages.make("small", report(65536, ranges), "--trace", trace_path))
    pages.holds("DAMAGED", browser.run("return document.getElementById('summary').textContent"), "summary")
    pages.equal(2, browser.run("return document.querySelectorAll('canvas').length"), "maps")
    labels = browser.run("return [...document.querySelectorAll('canvas')].map(c => c.ariaLabel)")
    pages.holds("3 damaged ranges", labels[0], "a screen reader's words for the first map")
    pages.holds("mmapstress replay /m ", browser.run("return document.getElementById('command').textContent"),
                "command")

    browser.click("#ranges tbody tr:nth-child(1)")
    story = browser.run("return document.getElementById('story').innerText")
    for words in ("2 store file=0", "flushed by commit 8", "writepage passed over", "seen in",
                  "evicted, disk", "The blocks of page 1 over time"):
        pages.holds(words, story, "story")
    marks = browser.run("return [...document.querySelectorAll('#story .block')].map(b => b.textContent).join('')")
    for mark in "dWX!":
        pages.holds(mark, marks, "blocks over time")
    for lane in ("commit", "writepage", "store"):
        pages.equal(True, browser.run(
            f"return document.querySelectorAll('#story svg .event.{lane}').length > 0"), f"{lane} on the axis")

    # A click on the map: the cell of the second range.
    at = browser.run("""const map = maps[0]; const cell = Math.floor((9000 - map.begin) / map.unit);
        const box = map.canvas.getBoundingClientRect();
        map.canvas.scrollIntoView();
        const now = map.canvas.getBoundingClientRect();
        return [now.left + (cell % map.columns + 0.5) * 13, now.top + (Math.floor(cell / map.columns) + 0.5) * 13]
            .map(Math.round)""")
    browser.call("POST", "/actions", {"actions": [{
        "type": "pointer", "id": "mouse", "actions": [
            {"type": "pointerMove", "x": at[0], "y": at[1]}, {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0}]}]})
    pages.equal(1, browser.run("return chosen"), "the range that a click into the map chooses")
    pages.holds("zeros", browser.run("return document.getElementById('live').textContent"), "what is said aloud")

    # With the keyboard only: zoom, next range, its story.
    unit = browser.run("return maps[0].unit")
    browser.type("canvas", "+")
    pages.equal(max(1024, unit / 2), browser.run("return maps[0].unit"), "+ zooms in")
    browser.type("canvas", "-n")
    pages.equal(2, browser.run("return chosen"), "n goes to the next range")
    browser.type("canvas", "\ue007")  # Enter
    pages.equal("story", browser.run("return document.activeElement.id"), "Enter leads to the story")
    wheel = browser.run("""const map = maps[0]; map.unit = map.largestUnit(); const before = map.unit;
        map.canvas.dispatchEvent(new WheelEvent('wheel', {deltaY: -1, clientX: 5, clientY: 5, cancelable: true}));
        return [before, map.unit]""")
    pages.equal(max(1024, wheel[0] / 2), wheel[1], "the wheel zooms in")

    backs = []
    for dark in (False, True):
        browser.dark(dark)
        backs.append(browser.run("return getComputedStyle(document.body).backgroundColor"))
    pages.equal(["rgb(255, 255, 255)", "rgb(13, 17, 23)"], backs, "light and dark")
    browser.dark(False)
    pages.equal([], browser.errors(), "errors of the small page")
    pages.equal(0, browser.run("return performance.getEntriesByType('resource').length"), "requests")


def large_page(pages, browser):
    """A hundred thousand ranges."""
    count = 100000
    kinds = ("stale", "zeros", "foreign")
    ranges = [damage(i * PAGE + 8, 16, kinds[i % 3], 1 + i % 3, 1 if i % 3 == 0 else None)
              for i in range(count)]
    path = pages.make("large", report(count * PAGE, ranges))
    pages.equal(True, os.path.getsize(path) < 64 << 20, "a page of a size that a browser likes")
    browser.open(path)
    pages.holds(f"of {count}", browser.run("return document.getElementById('where').textContent"), "list")
    browser.click("#last")
    browser.click("#ranges tbody tr:last-child")
    pages.equal(count - 1, browser.run("return chosen"), "the last range")
    pages.holds(f"{(count - 1) * PAGE + 8}", browser.run("return document.getElementById('story').innerText"),
                "the last range's story")
    pages.equal([], browser.errors(), "errors of the large page")


def main():
    if missing():
        print(f"skip: {missing()} is not installed")
        return 77
    with tempfile.TemporaryDirectory() as directory, Browser() as browser:
        pages = Pages(os.path.abspath(sys.argv[1]), directory)
        small_page(pages, browser)
        if len(sys.argv) > 2:
            browser.click("#ranges tbody tr:nth-child(1)")
            with open(sys.argv[2], "wb") as file:
                file.write(base64.b64decode(browser.screenshot()))
        large_page(pages, browser)
    for what in pages.wrong:
        print(what, file=sys.stderr)
    return 1 if pages.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
