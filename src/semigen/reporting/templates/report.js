"use strict";
(() => {
  const data = JSON.parse(document.getElementById("report-data").textContent);
  const make = (tag, text, set) => Object.assign(document.createElement(tag), { textContent: text || "" }, set || {});
  const percent = (x) => (Number.isFinite(x) ? (100 * x).toFixed(1) + " %" : "–");

  // Tables: sorted by a click on a column's name, filtered by what is typed, copied as text for a spreadsheet.
  const valueOf = (row, i) => {
    const cell = row.cells[i];
    const text = cell.dataset.value ?? cell.textContent.trim();
    const number = Number(text.replace(/[, ]/g, "").replace(/%$/, ""));
    return text !== "" && Number.isFinite(number) ? number : text.toLowerCase();
  };
  const order = (a, b) => {
    if (typeof a === typeof b) return a < b ? -1 : a > b ? 1 : 0;
    return typeof a === "number" ? -1 : 1;
  };
  for (const table of document.querySelectorAll("table[data-sort]")) {
    const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
    heads.forEach((head, i) => {
      const button = make("button", head.textContent.trim(), { type: "button" });
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach((one) => one.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const rows = [...body.rows].map((row) => [valueOf(row, i), row]);
        rows.sort((a, b) => (up ? 1 : -1) * order(a[0], b[0]));
        body.append(...rows.map((one) => one[1]));
      });
    });
    const tools = make("div", "", { className: "tools" });
    if (table.hasAttribute("data-filter") && body.rows.length > 8) {
      const label = make("label", "Filter "), input = make("input", "", { type: "search" });
      label.append(input);
      input.addEventListener("input", () => {
        const wanted = input.value.toLowerCase();
        for (const row of body.rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
      });
      tools.append(label);
    }
    if (table.hasAttribute("data-copy")) {
      const button = make("button", "Copy table", { type: "button" });
      button.addEventListener("click", async () => {
        const lines = [...table.rows].filter((row) => !row.hidden).map((row) =>
          [...row.cells].map((cell) => cell.textContent.trim().replace(/\s+/g, " ")).join("\t"));
        const text = lines.join("\n");
        let done = false;
        try { await navigator.clipboard.writeText(text); done = true; } catch {
          const area = make("textarea", "", { value: text });
          document.body.append(area);
          area.select();
          done = document.execCommand("copy");
          area.remove();
        }
        button.textContent = done ? "Copied" : "Not copied";
        setTimeout(() => { button.textContent = "Copy table"; }, 2000);
      });
      tools.append(button);
    }
    if (tools.children.length) table.parentElement.before(tools);
  }

  // The map: what is under the pointer.
  const tip = document.getElementById("tip"), map = document.querySelector("#figure-map svg");
  if (map && data.map) {
    const spots = [];
    for (const group of map.querySelectorAll("[data-points]")) {
      const rows = group.dataset.points.split(" ").filter(Boolean).map(Number);
      const uses = group.querySelectorAll("use");
      if (uses.length === rows.length) rows.forEach((row, i) => spots.push([uses[i], row]));
    }
    const say = (i) => {
      const { id, given, probability, twin } = data.map, name = (k) => data.classes[k];
      const lines = [id[i], "predicted " + name(data.map.class[i]) + ", " + percent(probability[i])];
      if (given[i] >= 0) lines.push("labeled " + name(given[i]));
      if (twin && twin[i] !== data.map.class[i]) {
        lines.push((data.with_first ? "labeled rows only: " : "with the unlabeled rows: ") + name(twin[i]));
      }
      return lines.join("\n");
    };
    map.addEventListener("pointermove", (event) => {
      const frame = map.getBoundingClientRect(), box = map.viewBox.baseVal, scale = frame.width / box.width;
      const x = (event.clientX - frame.left) / scale, y = (event.clientY - frame.top) / scale;
      let best = null, least = 64;
      for (const [use, row] of spots) {
        const far = (use.x.baseVal.value - x) ** 2 + (use.y.baseVal.value - y) ** 2;
        if (far < least) { least = far; best = row; }
      }
      tip.hidden = best === null;
      if (best === null) return;
      tip.textContent = say(best);
      tip.style.left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8) + "px";
      tip.style.top = Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8) + "px";
    });
    map.addEventListener("pointerleave", () => { tip.hidden = true; });
  }

  // Thresholds: what calling a class from some probability on gets right and wrong, and what it costs.
  const found = data.thresholds;
  if (!found) return;
  const field = (id) => document.getElementById(id);
  const select = field("threshold-class"), slider = field("threshold"), results = field("threshold-results");
  found.classes.forEach((one, k) => select.append(make("option", one.class, { value: k })));
  const rarest = found.classes.reduce((best, one, k) => (one.n_rows && one.n_rows < found.classes[best].n_rows ? k : best), 0);
  select.value = rarest;
  const at = (i) => {
    const one = found.classes[select.value], hits = one.hits[i], alarms = one.false_alarms[i];
    const misses = one.n_rows - hits;
    const cost = (alarms * Number(field("cost-alarm").value) + misses * Number(field("cost-miss").value)) / found.n_rows;
    return { hits, alarms, misses, cost, recall: hits / one.n_rows, precision: hits / (hits + alarms), called: one.unlabeled[i] };
  };
  const svgNs = "http://www.w3.org/2000/svg";
  const draw = (chosen) => {
    const svg = document.createElementNS(svgNs, "svg"), points = found.threshold.map((_, i) => at(i));
    svg.setAttribute("viewBox", "0 0 620 190");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", "Recall, precision and cost at every threshold; the chosen one is marked.");
    const add = (tag, set, text) => {
      const node = document.createElementNS(svgNs, tag);
      for (const [key, value] of Object.entries(set)) node.setAttribute(key, value);
      node.textContent = text || "";
      svg.append(node);
    };
    const x = (i) => 34 + 5.7 * i, y = (v) => 160 - 145 * v;
    for (const v of [0, 0.5, 1]) {
      add("path", { d: `M34 ${y(v)}H604`, style: "stroke: var(--line); stroke-width: 1" });
      add("text", { x: 28, y: y(v) + 4, "text-anchor": "end" }, 100 * v + "");
    }
    for (const i of [0, 25, 50, 75, 100]) add("text", { x: x(i), y: 180, "text-anchor": i < 100 ? "middle" : "end" }, i + " %");
    const worst = Math.max(...points.map((one) => one.cost)) || 1;
    const lines = [["recall", "--c0", (p) => p.recall], ["precision", "--c1", (p) => p.precision], ["cost", "--muted", (p) => p.cost / worst]];
    for (const [, color, of] of lines) {
      let d = "";
      points.forEach((one, i) => { const v = of(one); if (Number.isFinite(v)) d += `${d ? "L" : "M"}${x(i)} ${y(v).toFixed(1)}`; });
      if (d) add("path", { d, style: `stroke: var(${color})` });
    }
    add("path", { d: `M${x(chosen)} 10V165`, style: "stroke: var(--ink); stroke-width: 1.4" });
    field("threshold-plot").replaceChildren(svg);
  };
  const show = () => {
    const i = Number(slider.value), one = at(i), name = found.classes[select.value].class;
    field("threshold-value").textContent = i + " %";
    slider.setAttribute("aria-valuetext", i + " %");
    const list = make("dl", "", { className: "tiles" });
    const unlabeled = found.n_unlabeled ? [["unlabeled rows called so", one.called.toLocaleString("en"), "of " + found.n_unlabeled.toLocaleString("en")]] : [];
    for (const [what, number, note] of [
      ["precision", percent(one.precision), `${one.alarms} false alarm${one.alarms === 1 ? "" : "s"} among ${one.hits + one.alarms} called`],
      ["recall", percent(one.recall), `${one.misses} of ${one.hits + one.misses} missed`],
      ["cost per row", one.cost.toFixed(3), "mean over held-out rows"],
      ...unlabeled,
    ]) {
      const box = make("div"), cell = make("dd");
      cell.append(make("b", number), make("small", note));
      box.append(make("dt", what), cell);
      list.append(box);
    }
    const alarm = Number(field("cost-alarm").value), miss = Number(field("cost-miss").value);
    const honest = alarm + miss > 0 ? ` Were the probabilities exact, ${percent(alarm / (alarm + miss))} would be cheapest.` : "";
    results.replaceChildren(make("p", `Rows are called ${name} from a probability of ${i} %.${honest}`), list);
    draw(i);
  };
  field("cheapest").addEventListener("click", () => {
    const costs = found.threshold.map((_, i) => at(i).cost), least = Math.min(...costs);
    const best = costs.map((cost, i) => (cost <= least + 1e-12 ? i : -1)).filter((i) => i >= 0);
    slider.value = best[Math.floor(best.length / 2)];
    show();
  });
  for (const one of [select, slider, field("cost-alarm"), field("cost-miss")]) one.addEventListener("input", show);
  field("threshold-controls").hidden = false;
  field("threshold-figure").hidden = false;
  show();
})();
