// Held-out accuracy after each refit: a line, its 95 % interval as a band, and the same as text.

import { make, percent, say } from "./dom.js";

const WIDTH = 320, HEIGHT = 150, LEFT = 44, RIGHT = 10, TOP = 10, BOTTOM = 24;

export function showCurve(figure, points) {
  figure.hidden = points.length < 2;
  if (points.length < 2) return;
  const first = points[0], last = points.at(-1);
  const lowest = Math.max(0, Math.floor(10 * Math.min(...points.map((one) => one.low ?? one.accuracy))) / 10);
  const span = Math.max(1 - lowest, 0.1);
  const x = (n) => LEFT + ((n - first.n) / Math.max(last.n - first.n, 1)) * (WIDTH - LEFT - RIGHT);
  const y = (share) => TOP + ((1 - share) / span) * (HEIGHT - TOP - BOTTOM);
  const at = (n, share) => `${x(n).toFixed(1)} ${y(share).toFixed(1)}`;
  const label = say("curve_text", {
    first: percent(first.accuracy), n_first: first.n, last: percent(last.accuracy), n_last: last.n,
    low: percent(last.low ?? last.accuracy), high: percent(last.high ?? last.accuracy),
  });
  const svg = make("svg:svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label });
  for (const share of [lowest, lowest + span / 2, 1]) {
    svg.append(make("svg:path", { class: "grid", d: `M${LEFT} ${y(share)}H${WIDTH - RIGHT}` }));
    svg.append(make("svg:text", { x: LEFT - 6, y: y(share) + 4, "text-anchor": "end" }, `${percent(share)} %`));
  }
  for (const [n, anchor] of [[first.n, "start"], [last.n, "end"]]) {
    svg.append(make("svg:text", { x: x(n), y: HEIGHT - 6, "text-anchor": anchor }, n.toLocaleString("en")));
  }
  svg.append(make("svg:text", { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 6, "text-anchor": "middle" }, say("curve_x")));
  const banded = points.filter((one) => typeof one.low === "number" && typeof one.high === "number");
  if (banded.length > 1) {
    const there = banded.map((one) => at(one.n, one.high)), back = banded.toReversed().map((one) => at(one.n, one.low));
    svg.append(make("svg:path", { class: "band", d: `M${[...there, ...back].join("L")}Z` }));
  }
  svg.append(make("svg:path", { class: "line", d: `M${points.map((one) => at(one.n, one.accuracy)).join("L")}` }));
  svg.append(make("svg:circle", { class: "dot", cx: x(last.n), cy: y(last.accuracy), r: 4 }));
  figure.replaceChildren(svg, make("figcaption", {}, say("curve")), numbers(points, figure.querySelector("details")?.open));
}

function numbers(points, open) {
  const head = make("tr", {}, ...say("curve_columns").map((one) => make("th", { scope: "col" }, one)));
  const lines = points.map((one) => make("tr", {},
    make("td", {}, one.n.toLocaleString("en")), make("td", {}, `${percent(one.accuracy)} %`),
    make("td", {}, typeof one.low === "number" ? `${percent(one.low)} – ${percent(one.high)} %` : "–")));
  return make("details", { open: Boolean(open) }, make("summary", {}, say("numbers")),
    make("table", {}, make("thead", {}, head), make("tbody", {}, ...lines)));
}
