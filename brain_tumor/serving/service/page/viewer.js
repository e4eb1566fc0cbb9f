// The image: grey levels by window and level, the heat map in colour above it, and the box.

import { byId } from "./elements.js";

const STOPS = [[0, 0, 4], [27, 12, 65], [74, 12, 107], [120, 28, 109], [165, 44, 96], [207, 68, 70], [237, 105, 37], [251, 155, 6], [247, 209, 61], [252, 255, 164]];
const COLOURS = Array.from({ length: 256 }, (_, level) => {
  const at = (level / 255) * (STOPS.length - 1);
  const low = Math.min(Math.floor(at), STOPS.length - 2);
  return STOPS[low].map((value, channel) => value + (at - low) * (STOPS[low + 1][channel] - value));
});
const DEFAULT = { window: 255, level: 128 };

export class Viewer {
  constructor(onSlice) {
    this.canvas = byId("image");
    this.onSlice = onSlice;
    this.slices = [];
    this.at = 0;
    this.pixels = new Map();
    for (const id of ["window", "level", "opacity", "box"]) byId(id).addEventListener("input", () => this.draw());
    byId("reset").addEventListener("click", () => this.reset());
    byId("slice").addEventListener("input", () => this.show(Number(byId("slice").value)));
    byId("key-slice").addEventListener("click", () => this.jump(this.answer.key_slice));
    byId("map-slice").addEventListener("click", () => this.jump(this.answer.map_slice));
    this.canvas.addEventListener("keydown", (event) => this.onKey(event));
    this.canvas.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    this.canvas.addEventListener("pointerdown", (event) => this.onDrag(event));
    this.canvas.addEventListener("dblclick", () => this.reset());
    new ResizeObserver(() => this.drawScores()).observe(byId("scores"));
  }

  /** Show the slices of an item: a volume, or an image on its own. */
  open(item, hasMap) {
    this.slices = item.slices;
    this.answer = item.answer;
    this.pixels.clear();
    byId("slices").hidden = item.kind !== "volume";
    byId("map-controls").hidden = !hasMap;
    byId("map-slice").hidden = !item.answer.map_slice;
    byId("key-slice").hidden = !item.answer.key_slice;
    byId("slice").max = this.slices.length - 1;
    const first = this.slices.findIndex((slice) => slice.name === (item.answer.map_slice || item.answer.key_slice));
    this.drawScores();
    return this.show(Math.max(0, first));
  }

  async show(index) {
    this.at = Math.min(Math.max(index, 0), this.slices.length - 1);
    byId("slice").value = this.at;
    byId("slice-number").textContent = `${this.at + 1} of ${this.slices.length}`;
    byId("slice").setAttribute("aria-valuetext", `${this.at + 1} of ${this.slices.length}`);
    byId("name").textContent = this.slices[this.at].name;
    this.drawScores();
    const shown = this.at;
    for (const near of [shown, shown + 1, shown - 1]) await this.load(near);
    if (shown === this.at) this.draw();
    this.onSlice(this.slices[this.at]);
  }

  jump(name) {
    this.show(this.slices.findIndex((slice) => slice.name === name));
  }

  reset() {
    for (const [id, value] of Object.entries(DEFAULT)) byId(id).value = value;
    this.draw();
  }

  async load(index) {
    const slice = this.slices[index];
    if (!slice || this.pixels.has(index)) return;
    const [grey, heat] = await Promise.all([slice.image, slice.heatmap].map(decode));
    this.pixels.set(index, { grey, heat });
  }

  draw() {
    for (const id of ["window", "level"]) byId(`${id}-number`).textContent = byId(id).value;
    byId("opacity-number").textContent = `${byId("opacity").value} %`;
    const loaded = this.pixels.get(this.at);
    if (!loaded) return;
    const { grey, heat } = loaded;
    const slice = this.slices[this.at];
    const width = Number(byId("window").value);
    const low = Number(byId("level").value) - width / 2;
    const opacity = Number(byId("opacity").value) / 100;
    const levels = Uint8ClampedArray.from({ length: 256 }, (_, value) => (255 * (value - low)) / width);
    const out = new ImageData(grey.width, grey.height);
    for (let at = 0; at < out.data.length; at += 4) {
      const value = levels[grey.data[at]];
      const strength = heat ? heat.data[at] : 0;
      const alpha = (opacity * strength) / 255;
      const colour = COLOURS[strength];
      for (let channel = 0; channel < 3; channel++) out.data[at + channel] = value + alpha * (colour[channel] - value);
      out.data[at + 3] = 255;
    }
    this.canvas.width = grey.width;
    this.canvas.height = grey.height;
    const context = this.canvas.getContext("2d");
    context.putImageData(out, 0, 0);
    if (slice.box && byId("box").checked) drawBox(context, slice, grey);
    const marked = slice.box ? ", with a box around the marked area" : "";
    this.canvas.setAttribute("aria-label", `${slice.name}: ${slice.decision ?? slice.prediction}${marked}`);
  }

  /** The tumour score of each slice, above the slider. */
  drawScores() {
    const canvas = byId("scores");
    if (!canvas.clientWidth || this.slices.length < 2) return;
    canvas.width = canvas.clientWidth * devicePixelRatio;
    canvas.height = canvas.clientHeight * devicePixelRatio;
    const context = canvas.getContext("2d");
    const style = getComputedStyle(document.documentElement);
    const margin = 8 * devicePixelRatio; // half of the slider's thumb
    const step = (canvas.width - 2 * margin) / (this.slices.length - 1);
    this.slices.forEach((slice, index) => {
      const score = slice.detection ?? 0;
      context.fillStyle = style.getPropertyValue(index === this.at ? "--tumour" : slice.rejected ? "--line" : "--bar");
      const height = Math.max(2, score * canvas.height);
      context.fillRect(margin + step * (index - 0.4), canvas.height - height, Math.max(1, 0.8 * step), height);
    });
  }

  onKey(event) {
    const step = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
    const end = { Home: 0, End: this.slices.length - 1 }[event.key];
    if (step === undefined && end === undefined) return;
    event.preventDefault();
    this.show(end ?? this.at + step);
  }

  onWheel(event) {
    if (this.slices.length < 2 || event.ctrlKey) return;
    event.preventDefault();
    this.show(this.at + Math.sign(event.deltaY));
  }

  onDrag(start) {
    if (start.pointerType === "touch") return;
    const before = { window: Number(byId("window").value), level: Number(byId("level").value) };
    this.canvas.setPointerCapture(start.pointerId);
    const move = (event) => {
      byId("window").value = before.window + event.clientX - start.clientX;
      byId("level").value = before.level - (event.clientY - start.clientY) / 2;
      this.draw();
    };
    this.canvas.addEventListener("pointermove", move);
    this.canvas.addEventListener("pointerup", () => this.canvas.removeEventListener("pointermove", move), { once: true });
  }
}

function drawBox(context, slice, grey) {
  const [across, down] = [grey.width / slice.width, grey.height / slice.height];
  const { x0, y0, x1, y1 } = slice.box;
  const line = Math.max(1, Math.round(Math.max(grey.width, grey.height) / 200));
  context.lineWidth = line;
  context.strokeStyle = "#ffb000";
  context.strokeRect(x0 * across + line / 2, y0 * down + line / 2, (x1 - x0) * across - line, (y1 - y0) * down - line);
}

/** Decode a grey PNG, base64, into pixels. */
async function decode(text) {
  if (!text) return null;
  const image = new Image();
  image.src = `data:image/png;base64,${text}`;
  await image.decode();
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, image.width, image.height);
}
