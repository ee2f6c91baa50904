// The item: a row of a table, a text or an image, and the labeled rows that are most like it.

import { imageOf } from "./api.js";
import { color, find, make, reason, say, visible } from "./dom.js";

const MOST_CELLS = 40;
const WEAK = 0.4; // of the strongest word of a text: weaker ones are not marked
const LONG = 300; // characters
const TINY = 96; // pixels: a smaller image is shown with its pixels, not blurred
const LOW = 0.5; // percent of the rows that are further out
const WORD = /[\p{L}\p{N}][\p{L}\p{N}\p{M}'’-]*/gu;

export function showItem(item, state) {
  find("answer").hidden = false;
  document.body.classList.toggle("done", !item);
  find("why").hidden = !item;
  if (!item) {
    find("item-title").textContent = say("nothing_left");
    find("content").replaceChildren(make("p", {}, say("nothing_left_why")));
    find("others").hidden = find("neighbors").hidden = true;
    return;
  }
  find("reason").textContent = reason(item.reason);
  find("reason").dataset.reason = item.reason;
  find("sentence").textContent = visible(item.why);
  find("item-title").textContent = title(item);
  const kind = { table: tableOf, text: textOf, image: imageBox }[item.content.kind];
  find("content").replaceChildren(...kind(item, state));
  showNeighbors(item);
  showOthers(item.others ?? []);
}

export const title = (item) => (item.content.kind === "image" ? visible(item.content.name) : say("row", { row: item.row }));

const tableOf = (item) => cells(item.content.cells);

function cells(all) {
  if (!all?.length) return [];
  const list = make("dl", { class: "cells" }, ...all.slice(0, MOST_CELLS).map(cell));
  if (all.length <= MOST_CELLS) return [list];
  const more = make("button", { type: "button", class: "more" }, say("more_cells", { n: all.length }));
  more.addEventListener("click", () => {
    list.append(...all.slice(MOST_CELLS).map(cell));
    more.remove();
  });
  return [list, more];
}

function cell({ name, value, percentile, rare }) {
  const known = value !== null && value !== undefined && value !== "";
  const shown = make("dd", {}, make("b", { class: known ? "" : "missing" }, known ? visible(value) : say("missing")));
  if (known && String(value).length > LONG) {
    shown.firstChild.classList.add("long-value");
    shown.firstChild.tabIndex = 0; // to scroll by keyboard
  }
  const ranked = typeof percentile === "number";
  const odd = rare || (ranked && (percentile < LOW || percentile > 100 - LOW));
  if (ranked) {
    const where = say("percentile", { p: Math.round(percentile) });
    shown.append(
      make("span", { class: "place", title: where, "aria-hidden": "true", style: { "--at": percentile / 100 } }),
      make("span", { class: "hidden" }, `, ${where}`),
    );
  }
  if (odd) shown.append(make("span", { class: "rare" }, say("rare")));
  return make("div", { class: odd ? "odd" : "" }, make("dt", {}, visible(name)), shown);
}

function textOf(item, state) {
  const { text, words = [] } = item.content;
  const place = new Map(state.classes.map((one, k) => [one.name, k]));
  const known = new Map(words.map((one) => [one.word.toLowerCase(), one]));
  const strongest = Math.max(...words.map((one) => Math.abs(one.weight)), 1e-9);
  const box = make("div", { class: "text", tabindex: "0", role: "group", "aria-label": title(item) });
  const met = new Set();
  let end = 0;
  for (const found of text.matchAll(WORD)) {
    const one = known.get(found[0].toLowerCase());
    if (!one || Math.abs(one.weight) < WEAK * strongest) continue;
    const k = place.get(one.class) ?? 0;
    met.add(k);
    box.append(visible(text.slice(end, found.index), true), make(
      "mark",
      { title: say("word_for", { class: one.class }), style: { "--k": color(k), "--w": Math.abs(one.weight) / strongest } },
      visible(found[0]), make("sup", { "aria-hidden": "true" }, `${k + 1}`),
    ));
    end = found.index + found[0].length;
  }
  box.append(visible(text.slice(end), true));
  const names = [...met].sort((a, b) => a - b).map((k) =>
    make("li", { style: { "--k": color(k) } }, `${k + 1} ${visible(state.classes[k]?.name ?? "")}`));
  const legend = names.length ? [make("p", { class: "note" }, say("marked")), make("ul", { class: "legend" }, ...names)] : [];
  return [box, ...legend, ...cells(item.content.cells)];
}

function imageBox(item) {
  const name = visible(item.content.name);
  const picture = make("img", { src: imageOf(item.key), alt: say("image", { name }) });
  picture.addEventListener("load", () => picture.classList.toggle("tiny", picture.naturalHeight < TINY));
  picture.addEventListener("error", () => picture.replaceWith(make("p", { class: "missing" }, say("image_failed", { name }))));
  return [make("div", { class: "picture" }, picture), ...cells(item.content.cells)];
}

function showNeighbors(item) {
  const rows = item.neighbors ?? [];
  find("neighbors").hidden = !rows.length;
  if (!rows.length) return;
  const names = rows[0].cells.map((one) => one.name);
  const head = make("tr", {}, ...[say("row", { row: "" }).trim(), say("label"), ...names].map((one) => make("th", { scope: "col" }, visible(one))));
  const lines = rows.map((one) => make("tr", {},
    make("td", {}, visible(one.row)), make("td", {}, make("b", {}, visible(one.class))),
    ...one.cells.map((cell) => make("td", {}, visible(cell.value ?? "")))));
  find("neighbors").querySelector("table").replaceChildren(make("thead", {}, head), make("tbody", {}, ...lines));
}

function showOthers(others) {
  const box = find("others");
  box.hidden = !others.length;
  box.open = false;
  box.querySelector("summary").textContent = say("others", { n: others.length });
  box.querySelector("ul").replaceChildren(...others.map((one) => make("li", {}, answersOf(one.person, one.classes))));
}

export const named = (classes) => (classes.length ? classes.map((one) => visible(one)).join(say("or")) : say("none"));

export const answersOf = (person, classes) => say("answers", { person, classes: named(classes) });
