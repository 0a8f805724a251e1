import { crc32, decode } from "kqf.min.js";

// Side of the close view, in pixels of the picture.
const WINDOW = 48;

function css(entry) {
  const [red, green, blue, alpha = 255] = entry;
  return `rgb(${red} ${green} ${blue} / ${alpha / 255})`;
}

function hex(entry) {
  const shown = entry.length === 4 && entry[3] === 255 ? entry.slice(0, 3) : entry;
  return "#" + shown.map((value) => value.toString(16).padStart(2, "0")).join("");
}

const hexOf = (value) => value.toString(16).padStart(8, "0");

// Returns the pixels of a picture, and what is to be said of decoding it.
async function readPicture(uri, crc) {
  if (crc === null) return { image: await pixelsOf(uri), note: "" };
  const bytes = Uint8Array.from(atob(uri.slice(uri.indexOf(",") + 1)), (c) => c.charCodeAt(0));
  const decoded = await decode(bytes);
  const image = new ImageData(decoded.rgba(), decoded.width, decoded.height);
  const pixels = (image.width * image.height).toLocaleString("en");
  const found = crc32(image.data);
  const same = found === crc ? "the same as" : `not the ${hexOf(crc)} of`;
  const note = `This page decoded the KQF file: ${pixels} pixels, CRC-32 ${hexOf(found)}, ${same} the pixels that were measured.`;
  return { image, note };
}

async function pixelsOf(uri) {
  const image = new Image();
  image.src = uri;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

// Differences, many times over, of colours that alpha has faded.
function errorOf(one, other, gain) {
  const made = new ImageData(one.width, one.height);
  for (let at = 0; at < made.data.length; at += 4) {
    const [a, b] = [one.data[at + 3], other.data[at + 3]];
    for (let channel = 0; channel < 3; channel++) {
      const [c, d] = [one.data[at + channel] * a, other.data[at + channel] * b];
      made.data[at + channel] = gain * Math.max(Math.abs(c - d) / 255, Math.abs(a - b));
    }
    made.data[at + 3] = 255;
  }
  return made;
}

function put(canvas, image, left = 0, top = 0, width = image.width, height = image.height) {
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").putImageData(image, -left, -top);
}

class Picture {
  constructor(section) {
    this.section = section;
    this.data = JSON.parse(section.querySelector("script.data").textContent);
    this.stage = this.find(".stage");
    this.known = new Map();
    this.listen();
    this.stage.classList.toggle("small", this.data.width < 400);
    this.choose();
  }

  find(selector) {
    return this.section.querySelector(selector);
  }

  get variant() {
    return this.data.variants[this.find(".variant").value];
  }

  get gain() {
    return Number(this.find(".gain").value);
  }

  read(uri, crc = null) {
    if (!this.known.has(uri)) this.known.set(uri, readPicture(uri, crc));
    return this.known.get(uri);
  }

  listen() {
    const on = (selector, kind, act) => this.find(selector)?.addEventListener(kind, act);
    on(".variant", "change", () => this.choose());
    on(".as-error", "change", () => this.draw());
    on(".gain", "input", () => this.draw());
    on(".at", "input", () => this.divide(Number(this.find(".at").value)));
    on(".x", "change", () => this.aim(this.find(".x").valueAsNumber, this.find(".y").valueAsNumber));
    on(".y", "change", () => this.aim(this.find(".x").valueAsNumber, this.find(".y").valueAsNumber));
    on(".worst", "click", () => this.aimAtWorst());
    const divider = this.find(".divider");
    divider.addEventListener("pointerdown", (event) => {
      divider.setPointerCapture(event.pointerId);
      event.preventDefault();
    });
    divider.addEventListener("pointermove", (event) => {
      if (divider.hasPointerCapture(event.pointerId)) this.divide(100 * this.place(event)[0]);
    });
    this.stage.addEventListener("click", (event) => {
      if (event.target === divider) return;
      const [x, y] = this.place(event);
      this.aim(Math.floor(x * this.data.width), Math.floor(y * this.data.height));
    });
  }

  // Where a pointer is on the stage, 0 to 1.
  place(event) {
    const box = this.stage.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  divide(percent) {
    const at = Math.min(Math.max(percent, 0), 100);
    this.stage.style.setProperty("--at", `${at}%`);
    this.find(".at").value = at;
  }

  choose() {
    this.showPalette();
    this.aimAtWorst();
  }

  aimAtWorst() {
    this.aim(this.variant.worst.x, this.variant.worst.y);
  }

  // A picture that is shown reduced has its pixels only about its largest error.
  aim(x, y) {
    const clamp = (value, size) => Math.min(Math.max(Math.floor(value) || 0, 0), size - 1);
    const { detail, worst } = this.variant;
    this.x = detail ? worst.x : clamp(x, this.data.width);
    this.y = detail ? worst.y : clamp(y, this.data.height);
    this.find(".x").value = this.x;
    this.find(".y").value = this.y;
    this.find(".aim").hidden = detail !== null;
    this.draw();
  }

  // Decoding takes its time: only the picture that was asked for last is drawn.
  async draw() {
    const [variant, gain] = [this.variant, this.gain];
    const asError = this.find(".as-error").checked;
    const turn = (this.drawing = (this.drawing ?? 0) + 1);
    const more = (variant.detail?.uris ?? []).map((uri) => this.read(uri));
    let found;
    try {
      found = await Promise.all([
        this.read(this.find(".original").src),
        this.read(variant.uri, variant.crc),
        ...more,
      ]);
    } catch (error) {
      this.find(".decoded").textContent = `The picture cannot be decoded: ${error.message}`;
      throw error;
    }
    if (turn !== this.drawing) return;
    const [original, result, ...detail] = found.map(({ image }) => image);
    this.find(".decoded").textContent = found[1].note;
    const { width, height } = this.data;
    this.find(".gain + output").textContent = gain;
    const canvas = this.find(".stage .result");
    put(canvas, asError ? errorOf(original, result, gain) : result);
    const what = asError ? `error \u00d7 ${gain}` : variant.name;
    canvas.setAttribute("aria-label", what);
    this.find(".tag.right").textContent = what;
    const [before, after] = detail.length ? detail : [original, result];
    const [wide, high] = [Math.min(WINDOW, before.width), Math.min(WINDOW, before.height)];
    const within = (value, side, size) =>
      Math.min(Math.max(value - Math.floor(side / 2), 0), size - side);
    const left = detail.length ? variant.detail.x : within(this.x, wide, width);
    const top = detail.length ? variant.detail.y : within(this.y, high, height);
    const from = detail.length ? [0, 0] : [left, top];
    put(this.find(".close-original"), before, ...from, wide, high);
    put(this.find(".close-result"), after, ...from, wide, high);
    put(this.find(".close-error"), errorOf(before, after, gain), ...from, wide, high);
    const box = `${wide} \u00d7 ${high} pixels about ${this.x}, ${this.y}`;
    for (const name of ["original", "result", "error"]) {
      this.find(`.close-${name}`).setAttribute("aria-label", `${name}, ${box}`);
    }
    this.find(".close-result + figcaption").textContent = variant.name;
    this.find(".close-error + figcaption").textContent = `error \u00d7 ${gain}`;
    const { worst } = variant;
    const most = worst.distance
      ? `The largest error, a distance of ${worst.distance}, is at ${worst.x}, ${worst.y}.`
      : "Nothing is lost.";
    const hint = variant.detail ? "" : " Click the picture to look elsewhere.";
    this.find(".where").textContent = `${box}. ${most}${hint}`;
    const frame = this.find(".frame");
    frame.hidden = false;
    frame.style.left = `${(100 * left) / width}%`;
    frame.style.top = `${(100 * top) / height}%`;
    frame.style.width = `${(100 * wide) / width}%`;
    frame.style.height = `${(100 * high) / height}%`;
    this.section.dataset.drawn = turn;
  }

  showPalette() {
    const { palette, shares } = this.variant;
    const list = this.find(".palette");
    const used = shares.filter((share) => share > 0).length;
    const pick = this.find(".pick");
    pick.textContent = `${palette.length} colours, ${used} of them used.`;
    list.classList.toggle("few", palette.length <= 16);
    list.replaceChildren(
      ...palette.map((entry, label) => {
        const text = `${hex(entry)} ${(100 * shares[label]).toFixed(2)} %`;
        const button = document.createElement("button");
        button.type = "button";
        button.style.setProperty("--color", css(entry));
        button.title = `${label}: ${text}`;
        button.setAttribute("aria-label", `${label}: ${text}`);
        const span = document.createElement("span");
        span.textContent = text;
        button.append(span);
        button.addEventListener("click", () => {
          pick.textContent = `Label ${label}: ${text} of the pixels.`;
        });
        const item = document.createElement("li");
        item.append(button);
        return item;
      }),
    );
  }
}

function sortBy(header) {
  const table = header.closest("table");
  const column = [...header.parentElement.children].indexOf(header);
  const up = header.getAttribute("aria-sort") !== "ascending";
  for (const other of header.parentElement.children) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", up ? "ascending" : "descending");
  const keys = new Map();
  const rows = [...table.tBodies[0].rows];
  for (const row of rows) keys.set(row, row.cells[column].dataset.key);
  const asNumbers = header.classList.contains("number");
  rows.sort((one, other) => {
    const [a, b] = [keys.get(one), keys.get(other)];
    // What is not known comes last, whichever way.
    if (a === "" || b === "") return (a === "") - (b === "");
    return (up ? 1 : -1) * (asNumbers ? a - b : a.localeCompare(b, "en", { numeric: true }));
  });
  table.tBodies[0].append(...rows);
}

for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => sortBy(button.closest("th")));
}
for (const section of document.querySelectorAll("section.image")) new Picture(section);
