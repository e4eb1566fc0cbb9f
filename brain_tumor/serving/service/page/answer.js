// What the model says, in words and bars.

import { make } from "./elements.js";

const REASONS = {
  "out of distribution": "This scan is unlike those that the model was trained on: do not use the answer.",
  "low confidence": "The model is not sure enough: a person has to decide.",
};
/** 0.1234 → "12.3 %", with spaces that do not break. */
export function percent(share) {
  if (share > 0.999 && share < 1) return ">\u00a099.9\u00a0%";
  if (share < 0.001 && share > 0) return "<\u00a00.1\u00a0%";
  return `${(100 * share).toFixed(1)}\u00a0%`;
}
const named = (name) => name.replaceAll("_", " ");

/** How an answer is shown everywhere: a sign, a class and words, never by colour alone. */
export function state(answer) {
  if (answer.abstain) return { kind: "doubt", sign: "◆", words: "Abstains" };
  if (answer.decision === "no tumour") return { kind: "healthy", sign: "○", words: "No tumour" };
  if (answer.decision === "tumour") return { kind: "tumour", sign: "▲", words: "Tumour" };
  return { kind: "tumour", sign: "▲", words: named(answer.prediction) };
}

/** Describe an image, or a volume with its slices. */
export function describe(item, model) {
  const answer = item.answer;
  return [verdict(answer), probabilities(answer), facts(item, model), origin(item, model)].filter(Boolean);
}

function verdict(answer) {
  const { kind, sign, words } = state(answer);
  const box = make("div", { class: `verdict ${kind}` }, make("p", {}, `${sign} ${words}`));
  if (answer.abstain) {
    box.append(make("ul", {}, ...answer.reasons.map((reason) => make("li", {}, REASONS[reason] ?? reason))));
  } else if (answer.prediction && answer.decision === "tumour") {
    box.append(make("p", {}, `most probably ${named(answer.prediction)}`));
  }
  return box;
}

function probabilities(answer) {
  const classes = Object.entries(answer.probabilities).sort((a, b) => b[1] - a[1]);
  if (!classes.length) return null;
  const bars = classes.flatMap(([name, share]) => {
    const fill = make("i");
    fill.style.width = `${100 * share}%`;
    return [make("dt", {}, named(name)), make("dd", { class: "bar", "aria-hidden": "true" }, fill), make("dd", { class: "share" }, percent(share))];
  });
  const title = answer.abstain ? "Probabilities, not to be used" : "Probabilities";
  return make("section", { class: answer.abstain ? "unused" : null }, make("h2", {}, title), make("dl", { class: "bars" }, ...bars));
}

function facts(item, model) {
  const { answer } = item;
  const list = [];
  if (answer.observed) {
    list.push(`In validation, ${answer.observed.right} of ${answer.observed.images} answers with a probability like this were right.`);
  }
  if (answer.conformal_set?.length > 1 && model.conformal) {
    list.push(`Cannot be ruled out (at ${percent(model.conformal.coverage)} coverage): ${answer.conformal_set.map(named).join(", ")}.`);
  }
  if (answer.detection !== null && answer.detection !== undefined) {
    const threshold = model.operating_points[model.point];
    const against = threshold === undefined ? "" : `; “tumour” from ${percent(threshold)} on (operating point “${model.point}”)`;
    list.push(`Probability of a tumour: ${percent(answer.detection)}${against}.`);
  }
  if (item.kind === "volume") {
    const rejected = model.rejects_unlike_scans ? `; ${answer.rejected} rejected as unlike the scans of the training` : "";
    list.push(`${answer.slices} slices${rejected}.`);
    if (answer.map_slice) list.push(`Largest marked area: ${answer.map_slice}.`);
  } else if (model.has_map) {
    const { box } = answer;
    list.push(box ? `Marked area: columns ${box.x0} to ${box.x1}, rows ${box.y0} to ${box.y1} of ${answer.width} × ${answer.height} pixels.` : "The heat map marks no tumour.");
  } else list.push("This model draws no heat map.");
  if (answer.rejected === false) list.push("The scan is like those that the model was trained on.");
  if (!model.rejects_unlike_scans) list.push("This model cannot tell scans that are unlike those it was trained on.");
  return make("ul", { class: "facts" }, ...list.map((text) => make("li", {}, text)));
}

function origin(item, model) {
  return make("p", { class: "small" }, `${item.name} · model ${model.name}, version ${model.version} · ${new Date().toLocaleString()} · ${model.caution}`);
}
