// The page: files in, answers out.

import { describe, state } from "./answer.js";
import { byId, make } from "./elements.js";
import { render } from "./markdown.js";
import { models, predict } from "./server.js";
import { Viewer } from "./viewer.js";

let known = [];
let items = [];
let current = null;
let running = null;
const viewer = new Viewer(() => {});
const model = () => known.find((each) => each.name === byId("model").value);

async function start() {
  try {
    known = await models();
  } catch (error) {
    tell(error.message, true);
    return;
  }
  byId("model").replaceChildren(...known.map(({ name }) => make("option", { value: name }, name)));
  byId("models").hidden = known.length < 2;
}

/** Send files, and list the answers. */
async function send(files) {
  if (!files.length) return;
  await ready;
  running?.abort();
  running = new AbortController();
  const own = running;
  byId("busy").hidden = false;
  tell(`${files.length === 1 ? "1 file is" : `${files.length} files are`} being looked at …`);
  try {
    const found = await predict(files, byId("model").value, own.signal);
    items = listed(found);
    tell(summary(items));
    showLeftOut(found.left_out);
    showList();
    select(0);
  } catch (error) {
    if (error.name === "AbortError") return;
    tell(error.message, true);
    showLeftOut(error.leftOut ?? {});
  } finally {
    if (own === running) byId("busy").hidden = true;
  }
}

/** Join slices to their volumes; an image on its own is its only slice. */
function listed({ images, volumes }) {
  const joined = volumes.map((answer) => ({
    kind: "volume",
    name: answer.series,
    answer,
    slices: images.filter((image) => image.series === answer.series),
  }));
  const alone = images.filter((image) => !image.series).map((answer) => ({ kind: "image", name: answer.name, answer, slices: [answer] }));
  return [...joined, ...alone];
}

function summary(items) {
  const counts = new Map();
  for (const { answer } of items) {
    const { words } = state(answer);
    counts.set(words, (counts.get(words) ?? 0) + 1);
  }
  return [...counts].map(([words, count]) => `${words}: ${count}`).join(" · ");
}

function showList() {
  byId("welcome").hidden = true;
  byId("list-title").hidden = false;
  byId("list").replaceChildren(
    ...items.map((item, index) => {
      const { kind, sign, words } = state(item.answer);
      const what = item.kind === "volume" ? `${words} · volume of ${item.slices.length} slices` : words;
      const button = make(
        "button",
        { type: "button" },
        make("span", { class: `sign ${kind}`, "aria-hidden": "true" }, sign),
        make("span", { class: "file" }, item.name),
        make("span", { class: "what" }, what),
      );
      button.addEventListener("click", () => select(index));
      return make("li", {}, button);
    }),
  );
}

function select(index) {
  current = items[index];
  byId("list").querySelectorAll("button").forEach((button, at) => button.setAttribute("aria-current", at === index));
  byId("viewer").hidden = false;
  byId("answer").hidden = false;
  byId("print").disabled = false;
  byId("answer").replaceChildren(...describe(current, model()));
  viewer.open(current, model().has_map);
}

function showLeftOut(leftOut) {
  const files = Object.entries(leftOut);
  byId("left-out").hidden = !files.length;
  byId("left-out").querySelector("summary").textContent = `Left out: ${files.length} ${files.length === 1 ? "file" : "files"}`;
  byId("left-out").querySelector("ul").replaceChildren(...files.map(([name, why]) => make("li", {}, why.includes(name) ? why : `${name}: ${why}`)));
}

function tell(text, isError = false) {
  byId("status").textContent = text;
  byId("status").classList.toggle("error", isError);
}

const chosen = (input) => [...input.files].map((file) => ({ name: file.webkitRelativePath || file.name, file }));

/** Collect dropped files, those in folders, too. */
async function dropped(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const given = items.map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile()); // gone after the event: no await before
  const found = await Promise.all(given.map((each) => (each instanceof File ? [{ name: each.name, file: each }] : walk(each))));
  return found.flat();
}

async function walk(entry) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [{ name: entry.fullPath.replace(/^\//, ""), file }];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    found.push(...(await Promise.all(some.map(walk))).flat());
  }
}

for (const id of ["files", "folder"]) {
  byId(id).addEventListener("change", (event) => {
    send(chosen(event.target));
    event.target.value = "";
  });
}
for (const kind of ["dragenter", "dragover"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    document.body.classList.add("over");
  });
}
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("over");
});
document.addEventListener("drop", async (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  send(await dropped(event.dataTransfer));
});
byId("show-card").addEventListener("click", () => {
  if (!model()) return;
  byId("card-text").replaceChildren(...render(model().card || "This model has no card."));
  byId("card").showModal();
});
byId("print").addEventListener("click", () => window.print());

const ready = start();
