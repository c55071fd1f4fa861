"""The picture as a page: the SVG, and a script that unfolds, searches and tells of boxes.

The page holds the plans of all scopes as JSON. Its script places their items anew when a scope is
unfolded: ``place``, ``spread`` and the drawing are twins of view_layout.place and view_svg. Text
of the model goes through ``textContent``, and the page's policy allows no request to anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape

from modelfmt.surgery import view_layout
from modelfmt.surgery.view_boxes import Picture, printable
from modelfmt.surgery.view_svg import LINE, STYLE, family, size, svg, texts

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>%(title)s</title>
<style>%(style)s
body{margin:0;font:13px system-ui,sans-serif;color:#1d2430;display:flex;height:100vh}
aside{width:300px;flex:none;border-right:1px solid #ccd2da;display:flex;flex-direction:column}
aside>*{padding:8px 12px}
h1{font-size:15px;margin:0;overflow-wrap:anywhere}
h1 small{display:block;font-weight:normal;color:#5b6472}
input{width:100%%;box-sizing:border-box;padding:5px 8px;font:inherit}
#found{overflow:auto;max-height:38vh;flex:none}
#found a{display:block;cursor:pointer;overflow-wrap:anywhere;padding:1px 0}
#told{overflow:auto;flex:1;border-top:1px solid #ccd2da}
#told h2{font-size:13px;margin:0 0 6px;overflow-wrap:anywhere}
#told dt{color:#5b6472;font-size:11px}
#told dd{margin:0 0 5px;font:11px ui-monospace,'DejaVu Sans Mono',monospace;overflow-wrap:anywhere}
main{overflow:auto;flex:1;text-align:center}
#picture{margin:10px}
.box{cursor:pointer}
.hit>rect{stroke:#d9480f;stroke-width:2.5}
.chosen>rect{stroke:#1864ab;stroke-width:2.5}
</style></head><body>
<aside><h1>%(title)s<small>%(counts)s</small></h1>
<div><input id="search" type="search" placeholder="search names, classes, shapes">
<p><button id="all">unfold all</button> <button id="none">fold all</button></p></div>
<div id="found"></div><div id="told"></div></aside>
<main>%(svg)s</main>
<script type="application/json" id="model">%(model)s</script>
<script>%(script)s</script>
</body></html>
"""

SCRIPT = r"""
"use strict";
const M = JSON.parse(document.getElementById("model").textContent);
const [GAP, ROW, PAD, HEAD, LINE, TURNS] = M.distances, B = M.boxes;
// a box: [title, kind, lines, name, family, width, height, parent, details, number of boxes within]
const opened = new Set(M.opened), NS = "http://www.w3.org/2000/svg";
let chosen = -1, hits = new Set(), matches = [];
const at = id => document.getElementById(id);
function make(tag, attrs, inside, text) {
  const e = document.createElementNS(NS, tag);
  for (const k in attrs) e.setAttribute(k, attrs[k]);
  if (text !== undefined) e.textContent = text;
  if (inside) inside.appendChild(e);
  return e;
}
function spread(row, wanted, x, sizes, items) {
  const offsets = [], pools = [];
  let sum = 0;
  row.forEach((item, i) => {
    if (i) sum += (sizes[row[i - 1]][0] + sizes[item][0]) / 2 + GAP;
    offsets.push(sum);
  });
  row.forEach((item, i) => {
    const w = items[item] === -1 ? 4 : 1;
    pools.push([w * (wanted[i] - offsets[i]), w, 1]);
    while (pools.length > 1) {
      const a = pools[pools.length - 2], b = pools[pools.length - 1];
      if (a[0] / a[1] < b[0] / b[1]) break;
      pools.pop();
      for (let k = 0; k < 3; k++) a[k] += b[k];
    }
  });
  let n = 0;
  for (const [total, weight, length] of pools)
    for (let k = 0; k < length; k++, n++) x[row[n]] = total / weight + offsets[n];
}
function place(plan, sizes) {
  const [items, rows, chains] = plan, x = items.map(() => 0), y = items.map(() => 0);
  const near = [items.map(() => []), items.map(() => [])], high = [], rowOf = [];
  for (const [chain] of chains)
    for (let i = 1; i < chain.length; i++) {
      near[0][chain[i]].push(chain[i - 1]);
      near[1][chain[i - 1]].push(chain[i]);
    }
  let top = 0;
  rows.forEach((row, r) => {
    spread(row, row.map(() => 0), x, sizes, items);
    high.push(Math.max(...row.map(i => sizes[i][1])));
    for (const i of row) { y[i] = top; rowOf[i] = r; }
    top += high[r] + ROW;
  });
  for (let turn = 0; turn < TURNS; turn++)
    for (const row of turn % 2 ? [...rows].reverse() : rows)
      spread(row, row.map(i => {
        const n = near[turn % 2][i];
        return n.length ? n.reduce((s, j) => s + x[j], 0) / n.length : x[i];
      }), x, sizes, items);
  let left = 0, right = 0;
  items.forEach((_, i) => {
    left = i ? Math.min(left, x[i] - sizes[i][0] / 2) : x[i] - sizes[i][0] / 2;
    right = i ? Math.max(right, x[i] + sizes[i][0] / 2) : x[i] + sizes[i][0] / 2;
  });
  return {x: x.map(v => v - left), y, sizes, high, rowOf,
          width: right - left, height: Math.max(0, top - ROW)};
}
function draw() {
  hits = new Set();
  for (const id of matches) {
    let seen = id; // what is folded away marks the scope it is in
    for (let up = B[id][7]; up >= 0; up = B[up][7]) if (!opened.has(up)) seen = up;
    hits.add(seen);
  }
  const old = at("picture"), placed = {}, plans = M.plans;
  function size(item) {
    if (item < 0) return item === -1 ? [2, 0] : [6, 6];
    const p = placed[item];
    if (!p) return [B[item][5], B[item][6]];
    return [Math.max(p.width, B[item][5] - 2 * PAD) + 2 * PAD, p.height + 2 * PAD + HEAD];
  }
  function seen(id) {
    for (let up = B[id][7]; up >= 0; up = B[up][7]) if (!opened.has(up)) return false;
    return true;
  }
  const scopes = [...opened].filter(seen).sort((a, b) => b - a);
  for (const id of [...scopes, -1]) placed[id] = place(plans[id], plans[id][0].map(size));
  const port = (id, which) => {
    const i = plans[id][0].indexOf(which);
    return i < 0 ? 0 : placed[id].x[i] - placed[id].width / 2;
  };
  function scope(id, left, top, inside) {
    const [items, , chains] = plans[id], p = placed[id];
    let wide = p.width + 2 * PAD, high = p.height + 2 * PAD;
    if (id >= 0) { [wide, high] = size(id); top += HEAD; }
    const dx = left + (wide - p.width) / 2, dy = top + PAD;
    for (const [chain, back, control] of chains) {
      const points = [];
      chain.forEach((item, i) => {
        let x = p.x[item] + dx;
        const y = p.y[item] + dy, first = !i, last = i === chain.length - 1;
        if ((first || last) && placed[items[item]] && items[item] >= 0)
          x += port(items[item], first ? -3 : -2);
        points.push([x, y + (first ? p.sizes[item][1] : 0)]);
        if (!last) points.push([x, y + p.high[p.rowOf[item]]]);
      });
      let d = "M" + points[0];
      for (let i = 1; i < points.length; i++) {
        const [a, b] = points[i - 1], [c, e] = points[i], m = (b + e) / 2;
        d += Math.abs(a - c) < .05 ? "V" + e : "C" + [a, m, c, m, c, e];
      }
      const cls = "edge" + (control ? " control" : "") + (back ? " back" : "");
      const end = "marker-" + (back ? "start" : "end");
      make("path", {"class": cls, d, [end]: "url(#arrow)"}, inside);
    }
    items.forEach((item, i) => {
      const x = p.x[i] + dx, y = p.y[i] + dy;
      if (item >= 0) box(item, x - p.sizes[i][0] / 2, y, inside);
      else if (item !== -1) make("circle", {"class": "port", cx: x, cy: y + 3, r: 3}, inside);
    });
    return [wide, high];
  }
  function box(id, x, y, inside) {
    const [title, kind, lines, name, family, , , , , within] = B[id], [w, h] = size(id);
    const isOpen = id in placed, style = within ? isOpen ? "scope" : "folded" : "f-" + family;
    const mark = (hits.has(id) ? " hit" : "") + (id === chosen ? " chosen" : "");
    const g = make("g", {"class": "box " + style + mark, "data-id": id}, inside);
    make("title", {}, g, name);
    make("rect", {x, y, width: w, height: h}, g);
    const sign = within ? isOpen ? "\u25be " : "\u25b8 " : "";
    make("text", {x: x + 10, y: y + 16}, g, sign + title);
    if (isOpen) { scope(id, x, y, g); return; }
    (kind ? [kind, ...lines] : lines).forEach((line, i) =>
      make("text", {"class": i ? "line" : "kind", x: x + 10, y: y + 30 + LINE * i}, g, line));
  }
  const svg = make("svg", {id: "picture"}), defs = old.querySelector("defs");
  svg.appendChild(defs);
  const [w, h] = scope(-1, 0, 0, svg);
  for (const [k, v] of [["width", w], ["height", h], ["viewBox", [0, 0, w, h].join(" ")]])
    svg.setAttribute(k, v);
  old.replaceWith(svg);
}
function tell(id) {
  const told = at("told");
  told.replaceChildren();
  if (id < 0) return;
  const h = document.createElement("h2"), dl = document.createElement("dl");
  h.textContent = B[id][3];
  for (const [k, v] of [["kind", B[id][1]], ...B[id][8]]) {
    for (const [tag, text] of [["dt", k], ["dd", v]]) {
      const e = document.createElement(tag);
      e.textContent = text;
      dl.appendChild(e);
    }
  }
  told.append(h, dl);
}
function show(id) {
  for (let up = B[id][7]; up >= 0; up = B[up][7]) opened.add(up);
  chosen = id;
  draw();
  tell(id);
  const g = document.querySelector(`[data-id="${id}"]`);
  if (g) g.scrollIntoView({block: "center", inline: "center"});
}
function search() {
  const text = at("search").value.toLowerCase();
  const found = matches = [], list = at("found");
  if (text) B.forEach((b, id) => {
    const all = [b[3], b[1], ...b[2], ...b[8].map(d => d[1])].join("\n").toLowerCase();
    if (all.includes(text)) found.push(id);
  });
  list.replaceChildren();
  for (const id of found.slice(0, 200)) {
    const a = document.createElement("a");
    a.textContent = B[id][3];
    a.onclick = () => show(id);
    list.appendChild(a);
  }
  if (text) list.prepend(found.length + " found");
  draw();
  return found;
}
at("search").oninput = search;
at("search").onkeydown = e => {
  const found = e.key === "Enter" ? search() : [];
  if (found.length) show(found[0]);
};
document.querySelector("main").onclick = e => {
  const g = e.target.closest(".box");
  if (!g) return;
  const id = +g.dataset.id;
  if (B[id][9]) { if (!opened.delete(id)) opened.add(id); }
  chosen = id;
  tell(id);
  draw();
};
at("all").onclick = () => { B.forEach((b, id) => { if (b[9]) opened.add(id); }); draw(); };
at("none").onclick = () => { opened.clear(); draw(); };
const main = document.querySelector("main");
main.scrollLeft = (main.scrollWidth - main.clientWidth) / 2;
// page.html#search=conv2 opens with a search, #unfold with everything unfolded
const start = decodeURIComponent(location.hash.slice(1));
if (start === "unfold") at("all").onclick();
if (start.startsWith("search=")) {
  at("search").value = start.slice(7);
  const found = search();
  if (found.length) show(found[0]);
}
"""


def page(picture: Picture, opened: Iterable[int]) -> str:
    """The page, with these scopes unfolded at first."""
    opened = sorted(opened)
    leaves = sum(not box.children for box in picture.boxes)
    counts = f"{picture.kind} \u00b7 {leaves} boxes \u00b7 {len(picture.edges)} edges"
    return PAGE % {
        "title": escape(printable(picture.title)),
        "counts": escape(counts),
        "style": STYLE,
        "svg": svg(picture, opened, standalone=False),
        "model": embedded(model(picture, opened)),
        "script": SCRIPT,
    }


def model(picture: Picture, opened: list[int]) -> dict[str, object]:
    """What the script knows of the picture."""
    boxes = []
    for box in picture.boxes:
        details = [[printable(key), printable(value)] for key, value in box.details]
        details = [["", printable(line)] for line in box.lines] + details
        boxes.append([
            *texts(box), printable(box.name), family(box.kind), *size(box), box.parent, details,
            len(box.children),
        ])  # fmt: skip
    found = {
        scope: [
            plan.items, plan.rows, [[c.items, int(c.back), int(c.control)] for c in plan.chains]
        ]
        for scope, plan in view_layout.plans(picture).items()
    }
    distances = [
        view_layout.GAP, view_layout.ROW_GAP, view_layout.PAD, view_layout.HEAD, LINE,
        view_layout.PLACED,
    ]
    return {"distances": distances, "boxes": boxes, "plans": found, "opened": opened}


def embedded(value: object) -> str:
    """JSON that no tag ends and no comment begins in."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
