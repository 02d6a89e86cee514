// Interactive plots: similarity on one data set against another, and a matrix of similarities.
// Hovering (or the arrow keys) names the pair of models; choices filter and colour.
(() => {
  const section = document.getElementById("explore");
  const source = document.getElementById("explore-data");
  if (!section || !source) return;
  const data = JSON.parse(source.textContent);
  const m = data.models.length;
  const pairs = [];
  for (let i = 0; i < m; i++) for (let j = i + 1; j < m; j++) pairs.push([i, j]);
  const indexOf = (i, j) => {
    const [a, b] = i < j ? [i, j] : [j, i];
    return a * m - (a * (a + 1)) / 2 + (b - a - 1);
  };
  const $ = (id) => document.getElementById(`explore-${id}`);
  const NS = $("plot").namespaceURI;
  const svg = (name, attributes, parent, text) => {
    const element = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    if (parent) parent.append(element);
    return element;
  };
  const fill = (select, entries, chosen) => {
    select.replaceChildren(...entries.map(([value, label]) => new Option(label, value, false, value === chosen)));
  };
  const fixed = (value, digits = 2) =>
    value === null || Number.isNaN(value) ? "n/a" : value.toFixed(digits).replace("-", "−");

  const ids = data.datasets.map((d) => d.id);
  const nameOf = Object.fromEntries(data.datasets.map((d) => [d.id, d.name]));
  const hasAccuracy = Object.keys(data.accuracy).length > 0;
  const GAP = "\u0000gap", ERRORS = "\u0000errors";
  const labels = { [GAP]: "gap in accuracy (points)", [ERRORS]: "error consistency" };
  fill($("measure"), data.measures.map((e) => [e.id, e.label]));
  fill($("x"), data.datasets.map((e) => [e.id, e.name]));
  const yEntries = data.datasets.map((e) => [e.id, e.name]);
  if (hasAccuracy) yEntries.push([GAP, labels[GAP]]);
  if (Object.keys(data.errors).length > 0) yEntries.push([ERRORS, labels[ERRORS]]);
  fill($("y"), yEntries, ids[Math.min(1, ids.length - 1)]);
  fill($("category"), data.categories.map((e) => [e.id, e.label]));

  const state = { points: [], at: -1, cell: null };
  const category = () => data.categories.find((e) => e.id === $("category").value);
  const fillGroups = () => {
    const entries = [["", "any"], ...category().values.map((e) => [e.name, e.name])];
    fill($("first"), entries, "");
    fill($("second"), entries, "");
  };

  const similarity = (dataset, k) => {
    const values = (data.values[$("measure").value] || {})[dataset];
    return values && values[k] !== null ? values[k] / data.scale : null;
  };
  const gap = (dataset, i, j) => {
    const values = data.accuracy[dataset];
    if (!values || values[i] === null || values[j] === null) return null;
    return (100 * Math.abs(values[i] - values[j])) / data.scale;
  };
  const errors = (dataset, k) => {
    const values = data.errors[dataset];
    return values && values[k] !== null ? values[k] / data.scale : null;
  };
  // The upward value of a pair: on another data set, or of another kind on the same one.
  const upward = (y, x, i, j, k) => (y === GAP ? gap(x, i, j) : y === ERRORS ? errors(x, k) : similarity(y, k));
  const pearson = (xs, ys) => {
    const mean = (values) => values.reduce((sum, v) => sum + v, 0) / values.length;
    const mx = mean(xs), my = mean(ys);
    let xy = 0, xx = 0, yy = 0;
    xs.forEach((x, k) => { xy += (x - mx) * (ys[k] - my); xx += (x - mx) ** 2; yy += (ys[k] - my) ** 2; });
    return xx > 0 && yy > 0 ? xy / Math.sqrt(xx * yy) : NaN;
  };
  // Ties share the mean of their ranks.
  const ranks = (values) => {
    const sorted = [...values].sort((a, b) => a - b), rank = new Map();
    sorted.forEach((v, k) => { const [sum, n] = rank.get(v) || [0, 0]; rank.set(v, [sum + k, n + 1]); });
    return values.map((v) => rank.get(v)[0] / rank.get(v)[1]);
  };
  // Kendall's tau-b is Pearson's r of the signs of all differences.
  const signs = (values) => values.flatMap((v, i) => values.slice(0, i).flatMap((w) => [Math.sign(v - w), Math.sign(w - v)]));
  const before = { pearson: (values) => values, spearman: ranks, kendall: signs }[data.method];
  const correlation = (points) =>
    points.length < 3 ? NaN : pearson(before(points.map((p) => p.x)), before(points.map((p) => p.y)));
  const wanted = (a, b) => {
    const first = $("first").value, second = $("second").value;
    const fits = (u, v) => (!first || u === first) && (!second || v === second);
    return fits(a, b) || fits(b, a);
  };

  const collect = () => {
    const x = $("x").value, y = $("y").value, groups = data.groups[$("category").value];
    const colours = Object.fromEntries(category().values.map((e) => [e.name, e.colour]));
    const points = [];
    pairs.forEach(([i, j], k) => {
      if (!wanted(groups[i], groups[j])) return;
      const px = similarity(x, k), py = upward(y, x, i, j, k);
      if (px === null || py === null) return;
      const same = groups[i] !== "" && groups[i] === groups[j];
      points.push({ i, j, k, x: px, y: py, same, colour: same ? colours[groups[i]] : data.neutral });
    });
    points.sort((p, q) => p.same - q.same || p.k - q.k);
    return points;
  };

  const ticks = (low, high) => {
    const raw = (high - low) / 6, power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((s) => s * power).find((s) => s >= raw);
    const found = [];
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9; k++) found.push(k * step);
    return [found, Math.max(0, -Math.floor(Math.log10(step) + 1e-9))];
  };
  const range = (values) => {
    if (!values.length) return [0, 1];
    const low = Math.min(...values), high = Math.max(...values);
    const margin = 0.05 * Math.max(high - low, 0.02);
    return [low - margin, high + margin];
  };

  const box = { left: 58, top: 14, right: 16, bottom: 46, width: 560, height: 470 };
  const plot = $("plot"), inner = [box.width - box.left - box.right, box.height - box.top - box.bottom];
  let toX = null, toY = null;

  const drawAxes = (xs, ys) => {
    toX = (v) => box.left + ((v - xs[0]) / (xs[1] - xs[0])) * inner[0];
    toY = (v) => box.top + inner[1] - ((v - ys[0]) / (ys[1] - ys[0])) * inner[1];
    const bottom = box.top + inner[1];
    const [tx, dx] = ticks(...xs), [ty, dy] = ticks(...ys);
    for (const v of tx) {
      svg("line", { x1: toX(v), x2: toX(v), y1: box.top, y2: bottom, class: "grid" }, plot);
      svg("text", { x: toX(v), y: bottom + 16, "text-anchor": "middle" }, plot, fixed(v, dx));
    }
    for (const v of ty) {
      svg("line", { x1: box.left, x2: box.left + inner[0], y1: toY(v), y2: toY(v), class: "grid" }, plot);
      svg("text", { x: box.left - 6, y: toY(v) + 4, "text-anchor": "end" }, plot, fixed(v, dy));
    }
    const y = $("y").value;
    const names = [nameOf[$("x").value], labels[y] || nameOf[y]];
    svg("text", { x: box.left + inner[0] / 2, y: box.height - 8, "text-anchor": "middle", class: "label" }, plot, names[0]);
    const where = `translate(14 ${box.top + inner[1] / 2}) rotate(-90)`;
    svg("text", { transform: where, "text-anchor": "middle", class: "label" }, plot, names[1]);
  };

  const drawScatter = () => {
    plot.replaceChildren();
    state.points = collect();
    state.at = -1;
    const points = state.points, joint = !labels[$("y").value];
    const all = points.map((p) => p.x).concat(joint ? points.map((p) => p.y) : []);
    const xs = range(all), ys = joint ? xs : range(points.map((p) => p.y));
    drawAxes(xs, ys);
    if (joint) svg("line", { x1: toX(xs[0]), y1: toY(xs[0]), x2: toX(xs[1]), y2: toY(xs[1]), class: "diagonal" }, plot);
    const radius = points.length > 800 ? 2.4 : 3.6;
    for (const p of points) {
      p.element = svg("circle", { cx: toX(p.x).toFixed(1), cy: toY(p.y).toFixed(1), r: radius, fill: p.colour }, plot);
    }
    state.ring = svg("circle", { r: radius + 4, class: "ring", visibility: "hidden" }, plot);
    $("r").textContent = `r = ${fixed(correlation(points))} over ${points.length.toLocaleString("en")} pairs of models`;
    drawLegend(points);
    hide();
  };

  const drawLegend = (points) => {
    const groups = data.groups[$("category").value];
    const entry = (label, colour) => {
      const item = document.createElement("li"), swatch = document.createElement("span");
      swatch.className = "swatch";
      swatch.style.background = colour;
      item.append(swatch, label);
      return item;
    };
    const items = [];
    for (const { name, colour } of category().values) {
      const inside = points.filter((p) => p.same && groups[p.i] === name);
      if (inside.length) items.push(entry(`both ${name}: r = ${fixed(correlation(inside))} (${inside.length.toLocaleString("en")})`, colour));
    }
    if (points.some((p) => !p.same)) items.push(entry("two different", data.neutral));
    $("legend").replaceChildren(...items);
  };

  const describe = (i, j) => {
    const x = $("x").value, y = $("y").value, k = indexOf(i, j);
    const groups = data.groups[$("category").value];
    const lines = [`${data.models[i]} × ${data.models[j]}`, `${groups[i] || "–"} × ${groups[j] || "–"}`];
    lines.push(`${nameOf[x]}: ${fixed(similarity(x, k), 3)}`);
    if (y === GAP) lines.push(`gap in accuracy: ${fixed(gap(x, i, j), 1)} points`);
    else if (y === ERRORS) lines.push(`error consistency: ${fixed(errors(x, k), 3)}`);
    else if (y !== x) lines.push(`${nameOf[y]}: ${fixed(similarity(y, k), 3)}`);
    return lines;
  };
  const tip = $("tip");
  const show = (i, j, anchor) => {
    tip.replaceChildren(...describe(i, j).map((line) => {
      const row = document.createElement("div");
      row.textContent = line;
      return row;
    }));
    tip.hidden = false;
    tip.style.left = "0"; // at the edge it would be measured squeezed
    const frame = tip.parentElement.getBoundingClientRect(), at = anchor.getBoundingClientRect();
    const left = at.left + at.width / 2 - frame.left + 12, top = at.top - frame.top + 12;
    tip.style.left = `${Math.max(0, Math.min(left, frame.width - tip.offsetWidth - 4))}px`;
    tip.style.top = `${top}px`;
    const point = state.points.find((p) => p.k === indexOf(i, j));
    state.ring.setAttribute("visibility", point ? "visible" : "hidden");
    if (point) { state.ring.setAttribute("cx", toX(point.x)); state.ring.setAttribute("cy", toY(point.y)); }
  };
  const hide = () => {
    tip.hidden = true;
    if (state.ring) state.ring.setAttribute("visibility", "hidden");
    if (state.cursor) state.cursor.setAttribute("visibility", "hidden");
  };
  const showPoint = (at) => {
    state.at = at;
    const p = state.points[at];
    show(p.i, p.j, p.element);
  };

  const local = (element, event) => {
    const frame = element.getBoundingClientRect(), view = element.viewBox.baseVal;
    return [((event.clientX - frame.left) / frame.width) * view.width,
            ((event.clientY - frame.top) / frame.height) * view.height];
  };
  plot.addEventListener("pointermove", (event) => {
    const [px, py] = local(plot, event);
    let best = -1, distance = 14 ** 2;
    state.points.forEach((p, k) => {
      const d = (toX(p.x) - px) ** 2 + (toY(p.y) - py) ** 2;
      if (d < distance) { best = k; distance = d; }
    });
    if (best >= 0) showPoint(best); else hide();
  });
  // A tip goes with the pointer, with the focus, and with Escape wherever the focus is.
  for (const target of [plot, $("matrix")]) {
    target.addEventListener("pointerleave", hide);
    target.addEventListener("blur", hide);
  }
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
  });
  plot.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step || !state.points.length) return;
    event.preventDefault();
    const n = state.points.length, start = state.at < 0 && step < 0 ? 0 : state.at;
    showPoint((start + step + n) % n);
  });

  const matrix = $("matrix"), size = 470;
  const drawMatrix = () => {
    matrix.replaceChildren();
    const x = $("x").value, order = data.measures.find((e) => e.id === $("measure").value).order;
    const groups = data.groups[$("category").value], strip = 12, cell = (size - strip - 4) / m;
    const colours = Object.fromEntries(category().values.map((e) => [e.name, e.colour]));
    const known = pairs.map((_, k) => similarity(x, k)).filter((v) => v !== null);
    const low = Math.min(...known, 1), high = Math.max(...known, 1), span = high - low || 1;
    order.forEach((i, row) => {
      svg("rect", { x: 0, y: row * cell, width: strip, height: cell + 0.5, fill: colours[groups[i]] || "#fff" }, matrix);
      order.forEach((j, column) => {
        const value = i === j ? 1 : similarity(x, indexOf(i, j));
        const shade = value === null ? "#e3e3e3" : data.colours[Math.round(((value - low) / span) * (data.colours.length - 1))];
        svg("rect", { x: strip + 4 + column * cell, y: row * cell, width: cell + 0.5, height: cell + 0.5, fill: shade }, matrix);
      });
    });
    state.cell = { order, cell, left: strip + 4 };
    state.cursor = svg("rect", { width: cell, height: cell, class: "cursor", visibility: "hidden" }, matrix);
    $("scale").textContent = `${fixed(low)} (dark) to ${fixed(high)} (bright), rows and columns in clustered order`;
    $("matrix-title").textContent = `Similarities on ${nameOf[x]}`;
    state.row = state.column = 0;
  };
  const showCell = (row, column) => {
    const { order, cell, left } = state.cell;
    state.row = row; state.column = column;
    state.cursor.setAttribute("x", left + column * cell);
    state.cursor.setAttribute("y", row * cell);
    if (order[row] === order[column]) hide(); else show(order[row], order[column], state.cursor);
    state.cursor.setAttribute("visibility", "visible");
  };
  matrix.addEventListener("pointermove", (event) => {
    const [px, py] = local(matrix, event), { cell, left } = state.cell;
    const row = Math.floor(py / cell), column = Math.floor((px - left) / cell);
    if (row >= 0 && row < m && column >= 0 && column < m) showCell(row, column); else hide();
  });
  matrix.addEventListener("keydown", (event) => {
    const move = { ArrowRight: [0, 1], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowUp: [-1, 0] }[event.key];
    if (!move) return;
    event.preventDefault();
    const clamp = (v) => Math.max(0, Math.min(m - 1, v));
    showCell(clamp(state.row + move[0]), clamp(state.column + move[1]));
  });

  const drawAll = () => { drawScatter(); drawMatrix(); };
  section.hidden = false;
  fillGroups();
  drawAll();
  $("category").addEventListener("change", () => { fillGroups(); drawAll(); });
  for (const id of ["measure", "x"]) $(id).addEventListener("change", drawAll);
  for (const id of ["y", "first", "second"]) $(id).addEventListener("change", drawScatter);
})();
