"""Draws the table of filesystems.py as bars: one self-contained SVG."""
from xml.sax.saxutils import escape

_COLOURS = ("#4c72b0", "#dd8452", "#55a868", "#c44e52", "#8172b3", "#937860")
_BAR, _GAP, _LEFT, _WIDTH = 14, 16, 190, 520


def write_svg(file, summary, names):
    """A group of bars for each workload in `summary`: the speed of each place relative to the first of `names`."""
    most = max(summary[workload][name]["speed_ratio"] for workload in summary for name in names)
    height = 60 + len(summary) * (len(names) * _BAR + _GAP)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDTH + 80}" height="{height}" '
             'font-family="sans-serif" font-size="12" role="img">',
             f"<title>Speed against {escape(names[0])}, longer is faster</title>",
             '<rect width="100%" height="100%" fill="#ffffff"/>']
    for number, name in enumerate(names):
        left = _LEFT + number * 130
        parts.append(f'<rect x="{left}" y="12" width="12" height="12" fill="{_COLOURS[number % len(_COLOURS)]}"/>'
                     f'<text x="{left + 18}" y="22">{escape(name)}</text>')
    top = 44
    for workload, places in summary.items():
        middle = top + len(names) * _BAR / 2 + 4
        parts.append(f'<text x="{_LEFT - 10}" y="{middle}" text-anchor="end">{escape(workload)}</text>')
        for number, name in enumerate(names):
            ratio, y = places[name]["speed_ratio"], top + number * _BAR
            parts.append(f'<rect x="{_LEFT}" y="{y}" width="{ratio / most * _WIDTH:.1f}" height="{_BAR - 2}" '
                         f'fill="{_COLOURS[number % len(_COLOURS)]}"/>'
                         f'<text x="{_LEFT + ratio / most * _WIDTH + 5:.1f}" y="{y + _BAR - 4}" font-size="10">'
                         f"{ratio:.2f}</text>")
        top += len(names) * _BAR + _GAP
    one = _LEFT + _WIDTH / most
    parts.append(f'<line x1="{one:.1f}" y1="36" x2="{one:.1f}" y2="{height - 8}" stroke="#888888" '
                 'stroke-dasharray="4 3"/></svg>')
    with open(file, "w", encoding="utf-8") as out:
        out.write("\n".join(parts) + "\n")
