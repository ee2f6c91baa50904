// Beside the item: labels per class, how good the model is, what more labels would bring, who labels.

import { showCurve } from "./curve.js";
import { color, find, make, percent, say, visible } from "./dom.js";
import { answersOf } from "./item.js";

export function showPanel(state, item) {
  find("trouble").hidden = !state.trouble;
  find("trouble").textContent = visible(state.trouble ?? "");
  find("of-rows").textContent = say("of_rows", { labeled: state.n_labeled, n: state.n_rows });
  const most = Math.max(...state.classes.map((one) => one.n), 1);
  find("per-class").replaceChildren(...state.classes.map((one, k) => make("li", { style: { "--k": color(k) } },
    make("span", { class: "name" }, visible(one.name)),
    make("span", { class: "meter", "aria-hidden": "true", style: { "--w": `${(100 * one.n) / most}%` } }),
    make("b", {}, one.n.toLocaleString("en")))));
  showHonest(state.honest);
  showCurve(find("curve"), state.curve ?? []);
  find("fit").textContent = fitText(state);
  find("says").replaceChildren(...["forecast", "verdict", "next"].filter((what) => state[what] && state[what] !== item?.why)
    .flatMap((what) => [make("h2", {}, say(what)), ...sentence(visible(state[what]))]));
  find("notes").replaceChildren(...(state.notes ?? []).map((one) => make("li", { class: "note" }, visible(one))));
  showStop(state.stop ?? "");
  showPeople(state);
}

/** A sentence; what comes after its first semicolon is for those who want the numbers. */
function sentence(text) {
  const end = text.indexOf("; ");
  if (end < 0) return [make("p", {}, text)];
  const rest = make("details", {}, make("summary", {}, say("numbers")), make("p", {}, text.slice(end + 2)));
  return [make("p", {}, `${text.slice(0, end)}.`), rest];
}

/** "You can stop: why" becomes a heading and a sentence. */
function showStop(text) {
  const [head, ...why] = visible(text).split(": "), rest = why.join(": ");
  find("stop").hidden = !text;
  find("stop-title").textContent = head;
  find("stop").querySelector("p").textContent = rest.charAt(0).toUpperCase() + rest.slice(1);
}

function showHonest(honest) {
  const box = find("honest");
  if (!honest) return box.replaceChildren(make("p", { class: "note" }, say("no_accuracy")));
  box.replaceChildren(
    make("p", { class: "big" }, make("b", {}, `${percent(honest.accuracy)} %`), ` ${say("honest", { n: honest.n })}`),
    make("p", { class: "note" }, say("interval", { low: percent(honest.low), high: percent(honest.high) })),
  );
}

function fitText(state) {
  const text = [];
  if (state.fitting) text.push(say("fitting"));
  else if (state.fit) text.push(say("fitted", { n: state.fit.n, seconds: Number(state.fit.seconds.toFixed(1)) }) + ".");
  if (state.blind) text.push(say("blind"));
  find("fit").classList.toggle("busy", Boolean(state.fitting));
  return text.join(" ");
}

function showPeople({ people = [], disagreements = [] }) {
  find("people").hidden = people.length < 2;
  find("people").querySelector("ul").replaceChildren(...people.map((one) => make("li", {},
    make("b", {}, visible(one.name)), " ", say("person_n", { n: one.n }),
    ...(typeof one.agreement === "number" ? [make("small", {}, ` ${say("agreement", { p: percent(one.agreement) })}`)] : []))));
  const box = find("disagreements");
  box.hidden = !disagreements.length;
  box.querySelector("summary").textContent = say("disagreements", { n: disagreements.length });
  box.querySelector("ul").replaceChildren(...disagreements.map((one) => make("li", {},
    make("b", {}, say("row", { row: one.row })), " ",
    Object.entries(one.answers).map(([person, classes]) => answersOf(person, classes)).join("; "))));
}
