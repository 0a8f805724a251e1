// @ts-check
/** The page of viewer.html: zoom, pan, palette and facts of KQF files. */

import { KqfError, KqfImage, open, play } from "./kqf.js";
import { TILE, openOverviews } from "./overviews.js";

/** @typedef {import("./kqf.js").KqfFile} KqfFile */
/** @typedef {{name: string, source: string | Blob}} Named */

// Images of more pixels are read block by block, as they are looked at.
const MAX_WHOLE = 2 ** 24;
const BLOCK = 512;
// Blocks that are kept; one takes 1.3 MB.
const MAX_BLOCKS = 64;
// Of the overview of a large image: its longer side, and tiles that are read for it along a side.
const OVERVIEW = 1024;
const SAMPLES = 12;
const MAX_SCALE = 64;

/** @template {HTMLElement} T @param {string} id @param {new () => T} type */
function element(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`there is no ${id} in the page`);
  return found;
}

const stage = element("stage", HTMLElement);
const canvas = element("canvas", HTMLCanvasElement);
const files = element("files", HTMLSelectElement);
const panel = element("panel", HTMLElement);
const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
const tools = ["out", "in", "fit", "one", "save"].map((id) => element(id, HTMLButtonElement));
const count = new Intl.NumberFormat("en");

/** @param {string} text */
function say(text) {
  element("text", HTMLElement).textContent = text;
  element("message", HTMLElement).hidden = !text;
}

/** @param {string} id @param {[string, string | number][]} facts */
function list(id, facts) {
  const items = facts.flatMap(([name, value]) => {
    const term = document.createElement("dt");
    const text = document.createElement("dd");
    term.textContent = name;
    text.textContent = String(value);
    return [term, text];
  });
  element(id, HTMLElement).replaceChildren(...items);
}

/** @param {number} width @param {number} height */
function newCanvas(width, height) {
  const made = document.createElement("canvas");
  made.width = width;
  made.height = height;
  return made;
}

// Pictures: what is drawn.

/**
 * @typedef {object} Picture
 * @property {number} width
 * @property {number} height
 * @property {(scale: number, box: [number, number, number, number]) => void} draw
 * @property {(x: number, y: number) => number | null} labelAt
 * @property {KqfImage | null} image whole, if it is in memory
 * @property {Player} [player] of an animation
 * @property {() => void} close
 */
/**
 * @typedef {object} Player
 * @property {() => void} toggle plays or stops
 * @property {(number: number) => void} go
 * @property {(by: number) => void} step
 */

/** An image that is in memory. @param {CanvasImageSource & {width: number, height: number}} drawn @param {KqfImage | null} image @returns {Picture} */
function wholePicture(drawn, image) {
  return {
    width: drawn.width,
    height: drawn.height,
    image,
    draw: () => context.drawImage(drawn, 0, 0),
    labelAt: (x, y) => (image ? image.labels[y * image.width + x] : null),
    close: () => {},
  };
}

/**
 * A large image, of which blocks are read as they are looked at.
 *
 * @param {KqfFile} file
 * @param {string | Blob} source
 * @returns {Picture}
 */
function largePicture(file, source) {
  const { width, height } = file;
  /** @type {Map<string, {canvas: HTMLCanvasElement, image: KqfImage} | null>} */
  const blocks = new Map();
  const abort = new AbortController();
  const reduced = Math.min(1, OVERVIEW / Math.max(width, height));
  const overview = newCanvas(
    Math.max(1, Math.round(width * reduced)),
    Math.max(1, Math.round(height * reduced)),
  );
  const small = /** @type {CanvasRenderingContext2D} */ (overview.getContext("2d"));
  /** Blocks wanted, by level, column and row. @type {string[]} */
  let wanted = [];
  /** @type {import("./overviews.js").Overviews | null} */
  let overviews = null;
  let reading = false;

  /** @param {number[]} region */
  const read = async (region) => {
    const image = await file.read({ region, signal: abort.signal });
    const drawn = newCanvas(image.width, image.height);
    image.draw(drawn);
    return { canvas: drawn, image };
  };

  /** Read a tile of a smaller picture. @param {number} which @param {number} column @param {number} row */
  const readSmaller = async (which, column, row) => {
    const levels = /** @type {import("./overviews.js").Overviews} */ (overviews);
    const found = await levels.read(which, column, row, abort.signal);
    const { codebook, channels, metadata } = file;
    const { width, height, labels } = found;
    const image = new KqfImage(width, height, labels, codebook, channels, metadata);
    const drawn = newCanvas(width, height);
    image.draw(drawn);
    return { canvas: drawn, image };
  };

  /** Draw all of the smallest picture that the file has. */
  const showSmallest = async () => {
    const levels = /** @type {import("./overviews.js").Overviews} */ (overviews);
    const { level, columns, rows } = levels.levels[0];
    const step = 2 ** level * reduced;
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const { canvas: tile } = await readSmaller(0, column, row);
        const at = [column * TILE * step, row * TILE * step];
        small.drawImage(tile, at[0], at[1], tile.width * step, tile.height * step);
        paint();
      }
    }
  };

  // Without an overview in the file, a few tiles stand for what lies around them.
  const sample = async () => {
    const columns = Math.min(SAMPLES, file.columns);
    const rows = Math.min(SAMPLES, file.rows);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        await work();
        const left = Math.floor(((column + 0.5) / columns) * file.columns) * file.tileWidth;
        const upper = Math.floor(((row + 0.5) / rows) * file.rows) * file.tileHeight;
        const right = Math.min(left + Math.min(file.tileWidth, BLOCK), width);
        const lower = Math.min(upper + Math.min(file.tileHeight, BLOCK), height);
        const { canvas: tile } = await read([left, upper, right, lower]);
        const [w, h] = [overview.width / columns, overview.height / rows];
        small.drawImage(tile, column * w, row * h, w, h);
        paint();
      }
    }
  };

  /** Read the blocks that are looked at. */
  const work = async () => {
    if (reading) return;
    reading = true;
    try {
      for (let key = wanted.shift(); key; key = wanted.shift()) {
        if (blocks.has(key)) continue;
        const [which, column, row] = key.split(" ").map(Number);
        blocks.set(key, null);
        const [x, y] = [column * BLOCK, row * BLOCK];
        const block =
          which < 0
            ? await read([x, y, Math.min(x + BLOCK, width), Math.min(y + BLOCK, height)])
            : await readSmaller(which, column, row);
        blocks.set(key, block);
        if (!overviews) {
          const [w, h] = [block.canvas.width * reduced, block.canvas.height * reduced];
          small.drawImage(block.canvas, x * reduced, y * reduced, w, h);
        }
        for (const old of blocks.keys()) {
          if (blocks.size <= MAX_BLOCKS) break;
          blocks.delete(old);
        }
        paint();
      }
    } finally {
      reading = false;
    }
  };

  /** @param {unknown} error */
  const tell = (error) => {
    if (!abort.signal.aborted) say(explain(error));
  };
  openOverviews(source, file, abort.signal)
    .then((found) => {
      overviews = found;
      return found ? showSmallest() : sample();
    })
    .catch(tell);

  /**
   * Return which picture suits a scale, -1 for the image itself, and the pixels a block of it
   * spans; null if of each there would be too many blocks.
   *
   * @param {number} scale
   * @param {[number, number, number, number]} box
   */
  const suited = (scale, [left, upper, right, lower]) => {
    const levels = overviews?.levels ?? [];
    const fine = levels.findIndex(({ level }) => 2 ** level * scale <= 1);
    for (let which = fine < 0 ? levels.length : fine; which >= 0; which--) {
      const step = which < levels.length ? 2 ** levels[which].level : 1;
      const span = step > 1 ? TILE * step : BLOCK;
      const across = Math.ceil(right / span) - Math.floor(left / span);
      const down = Math.ceil(lower / span) - Math.floor(upper / span);
      if (across * down <= MAX_BLOCKS / 2) return { which: step > 1 ? which : -1, step, span };
    }
    return null;
  };

  return {
    width,
    height,
    image: null,
    draw: (_scale, box) => {
      const [left, upper, right, lower] = box;
      context.drawImage(overview, 0, 0, width, height);
      wanted = [];
      const found = suited(scale, box);
      // Further out, the overview is all there is.
      if (!found) return;
      const { which, step, span } = found;
      for (let row = Math.floor(upper / span); row * span < lower; row++) {
        for (let column = Math.floor(left / span); column * span < right; column++) {
          const key = `${which} ${column} ${row}`;
          const block = blocks.get(key);
          if (block) {
            const { width: w, height: h } = block.canvas;
            context.drawImage(block.canvas, column * span, row * span, w * step, h * step);
            // Kept longest is what was looked at last.
            blocks.delete(key);
            blocks.set(key, block);
          } else if (block === undefined) wanted.push(key);
        }
      }
      work().catch(tell);
    },
    labelAt: (x, y) => {
      const block = blocks.get(`-1 ${Math.floor(x / BLOCK)} ${Math.floor(y / BLOCK)}`);
      return block ? block.image.labels[(y % BLOCK) * block.image.width + (x % BLOCK)] : null;
    },
    close: () => abort.abort(),
  };
}

// The view of it.

/** @type {Picture | null} */
let picture = null;
/** @type {Picture | null} what is drawn while a colour is pointed at */
let highlighted = null;
let scale = 1;
// The pixel of the image in the middle of the stage.
let centre = [0, 0];
let fitted = true;
let painting = 0;

const ratio = () => window.devicePixelRatio || 1;

function fit() {
  if (!picture) return;
  const { clientWidth, clientHeight } = stage;
  const all = Math.min(clientWidth / picture.width, clientHeight / picture.height);
  // Small images grow in whole steps, so that their pixels stay squares.
  scale = all < 1 ? all : Math.min(Math.floor(all), 8);
  centre = [picture.width / 2, picture.height / 2];
  fitted = true;
  paint();
}

/** @param {number} factor @param {number} x @param {number} y of the stage, which stays where it is */
function zoom(factor, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
  if (!picture) return;
  const least =
    Math.min(stage.clientWidth / picture.width, stage.clientHeight / picture.height, 1) / 2;
  const next = Math.min(Math.max(scale * factor, least), MAX_SCALE);
  const [dx, dy] = [x - stage.clientWidth / 2, y - stage.clientHeight / 2];
  centre[0] += dx / scale - dx / next;
  centre[1] += dy / scale - dy / next;
  scale = next;
  fitted = false;
  paint();
}

/** @param {number} dx @param {number} dy in pixels of the stage */
function pan(dx, dy) {
  if (!picture) return;
  centre[0] = Math.min(Math.max(centre[0] - dx / scale, 0), picture.width);
  centre[1] = Math.min(Math.max(centre[1] - dy / scale, 0), picture.height);
  fitted = false;
  paint();
}

function paint() {
  painting ||= requestAnimationFrame(() => {
    painting = 0;
    paintNow();
  });
}

function paintNow() {
  const dense = ratio();
  const width = Math.round(stage.clientWidth * dense);
  const height = Math.round(stage.clientHeight * dense);
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, width, height);
  if (!picture) return;
  const step = scale * dense;
  const left = Math.round(width / 2 - centre[0] * step);
  const upper = Math.round(height / 2 - centre[1] * step);
  context.setTransform(step, 0, 0, step, left, upper);
  context.imageSmoothingEnabled = step < 1;
  context.imageSmoothingQuality = "high";
  (highlighted ?? picture).draw(step, [
    Math.max(0, -left / step),
    Math.max(0, -upper / step),
    Math.min(picture.width, (width - left) / step),
    Math.min(picture.height, (height - upper) / step),
  ]);
  const percent = scale * 100;
  element("zoom", HTMLElement).textContent =
    `${percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`;
}

// What is said about it.

/** @param {Uint8Array} palette @param {number} label */
function css(palette, label) {
  const entry = [...palette.subarray(4 * label, 4 * label + 4)];
  const digits = entry.map((value) => value.toString(16).padStart(2, "0"));
  return `#${digits.slice(0, entry[3] < 255 ? 4 : 3).join("")}`;
}

/** @param {KqfImage} image with the palette; its labels are counted, unless it has none */
function showPalette(image) {
  const palette = image.palette();
  const colors = palette.length / 4;
  const counts = new Uint32Array(256);
  for (const label of image.labels) counts[label]++;
  const used = counts.filter(Boolean).length;
  const known = image.labels.length > 0;
  element("count", HTMLElement).textContent =
    `Palette: ${colors} colours` + (known && used < colors ? `, ${used} used` : "");
  const text = element("color", HTMLElement);
  text.textContent = "";
  const swatches = Array.from({ length: colors }, (_, label) => {
    const swatch = document.createElement("button");
    const share = known
      ? `, ${count.format(counts[label])} pixels (${((100 * counts[label]) / image.labels.length).toFixed(2)} %)`
      : "";
    swatch.style.background = css(palette, label);
    swatch.setAttribute("aria-label", `${label}: ${css(palette, label)}${share}`);
    const begin = () => {
      text.textContent = swatch.getAttribute("aria-label");
      if (known) highlight(image, label);
    };
    const end = () => {
      text.textContent = "";
      highlighted = null;
      paint();
    };
    swatch.addEventListener("pointerenter", begin);
    swatch.addEventListener("focus", begin);
    swatch.addEventListener("pointerleave", end);
    swatch.addEventListener("blur", end);
    return swatch;
  });
  element("palette", HTMLElement).replaceChildren(...swatches);
}

/** Draw the pixels of one label alone, all others faintly. @param {KqfImage} image @param {number} label */
function highlight(image, label) {
  const palette = image.palette();
  for (let i = 3; i < palette.length; i += 4) {
    if (i >> 2 !== label) palette[i] >>= 3;
  }
  const { width, height, labels, metadata } = image;
  const drawn = newCanvas(width, height);
  new KqfImage(width, height, labels, palette, 4, metadata).draw(drawn);
  highlighted = wholePicture(drawn, image);
  paint();
}

/** @param {number} bytes */
function size(bytes) {
  const units = ["bytes", "KB", "MB", "GB"];
  let unit = 0;
  for (; bytes >= 1000 && unit < 3; unit++) bytes /= 1000;
  return `${unit && bytes < 100 ? bytes.toFixed(1) : Math.round(bytes)} ${units[unit]}`;
}

/** @param {KqfFile} file @returns {[string, string][]} */
function animationFacts({ frames, loop, durations }) {
  if (frames === 1) return [];
  const seconds = durations.reduce((sum, duration) => sum + duration, 0) / 1000;
  return [
    ["Frames", `${count.format(frames)} in ${+seconds.toFixed(2)} s`],
    ["Plays", loop ? count.format(loop) : "for ever"],
  ];
}

/** @param {KqfFile} file */
function showFacts(file) {
  const { width, height, tileWidth, tileHeight, metadata } = file;
  const kinds = ["gray", "gray, alpha", "RGB", "RGBA"];
  const tiles = file.columns * file.rows;
  list("facts", [
    ["Size", `${count.format(width)} × ${count.format(height)}`],
    ["File", size(file.size)],
    ["Bits per pixel", ((8 * file.size) / (width * height * file.frames)).toFixed(2)],
    ["Colours", `${file.colors}, ${kinds[file.channels - 1]}`],
    ["Predictor", file.predictor + (file.shaped ? ", shapes" : "")],
    ["Tiles", tiles > 1 ? `${count.format(tiles)} of ${tileWidth} × ${tileHeight}` : "1"],
    ["Version", file.version],
    ...animationFacts(file),
  ]);
  /** @type {[string, string][]} */
  const facts = [];
  if (metadata.comment) facts.push(["Comment", metadata.comment]);
  if (metadata.dpi) facts.push(["DPI", metadata.dpi.map((n) => +n.toFixed(2)).join(" × ")]);
  if (metadata.iccProfile) facts.push(["ICC profile", size(metadata.iccProfile.length)]);
  if (metadata.exif) facts.push(["Exif", size(metadata.exif.length)]);
  if (metadata.xmp) facts.push(["XMP", size(metadata.xmp.length)]);
  list("metadata", facts);
  element("about", HTMLElement).hidden = !facts.length;
  list(
    "chunks",
    file.chunks.map(({ type, offset, length }) => [`${type} at ${offset}`, size(length)]),
  );
  element("parts", HTMLElement).hidden = false;
  element("colors", HTMLElement).hidden = false;
}

/** @param {unknown} error */
function explain(error) {
  if (!(error instanceof KqfError)) return error instanceof Error ? error.message : String(error);
  const kinds = {
    wrong: "This file is damaged",
    truncated: "This file is cut off",
    unsupported: "A newer version is needed to show this file",
    limit: "This file is too large",
  };
  return `${kinds[error.kind]}. ${error.message}`;
}

/** @param {string | Blob} source */
async function toBlob(source) {
  if (source instanceof Blob) return source;
  const response = await fetch(source);
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
  return response.blob();
}

/** @param {Named} file @returns {Promise<Picture>} */
async function load({ source }) {
  let file;
  try {
    file = await open(source);
  } catch (error) {
    // The browser may know what is no KQF file.
    if (!(error instanceof KqfError && error.field === "signature")) throw error;
    const bitmap = await createImageBitmap(await toBlob(source)).catch(() => {
      throw error;
    });
    list("facts", [["Size", `${count.format(bitmap.width)} × ${count.format(bitmap.height)}`]]);
    for (const id of ["colors", "about", "parts"]) element(id, HTMLElement).hidden = true;
    return wholePicture(bitmap, null);
  }
  showFacts(file);
  if (file.width * file.height > MAX_WHOLE) {
    const { codebook, channels, metadata } = file;
    showPalette(new KqfImage(0, 0, new Uint8Array(0), codebook, channels, metadata));
    return largePicture(file, source);
  }
  const image = (await file.read()).upright();
  const drawn = newCanvas(image.width, image.height);
  image.draw(drawn);
  showPalette(image);
  const whole = wholePicture(drawn, image);
  return file.frames > 1 ? animated(file, whole, drawn) : whole;
}

/**
 * Add a player to the picture of the first frame, and start it.
 *
 * @param {KqfFile} file
 * @param {Picture} whole
 * @param {HTMLCanvasElement} drawn where frames are drawn
 */
function animated(file, whole, drawn) {
  const range = element("frame", HTMLInputElement);
  const button = element("play", HTMLButtonElement);
  range.max = String(file.frames - 1);
  let shown = 0;
  /** @type {AbortController | null} */
  let playing = null;
  let asked = 0;
  let closed = false;

  /** @param {KqfImage} image @param {number} number */
  const showFrame = (image, number) => {
    if (closed) return;
    shown = number;
    highlighted = null;
    whole.image = image.upright();
    whole.image.draw(drawn);
    range.value = String(number);
    element("time", HTMLElement).textContent =
      `${number + 1} of ${file.frames}, ${+file.durations[number].toFixed(2)} ms`;
    paint();
  };
  const stop = () => {
    playing?.abort();
    playing = null;
    button.textContent = "Play";
    button.setAttribute("aria-pressed", "false");
    // Colours are counted of frames that stand still; one of several codebooks has no labels.
    const { image } = whole;
    if (!image || closed) return;
    const { width, height, codebook, channels, metadata } = image;
    const labels = image.pixels ? new Uint8Array(0) : image.labels;
    showPalette(new KqfImage(width, height, labels, codebook, channels, metadata));
  };
  /** @param {unknown} error */
  const tell = (error) => {
    if (!closed) say(explain(error));
  };
  const start = () => {
    const begun = (playing = new AbortController());
    button.textContent = "Pause";
    button.setAttribute("aria-pressed", "true");
    const from = shown + 1 < file.frames ? shown : 0;
    const speed = () => Number(element("speed", HTMLSelectElement).value);
    play(file, showFrame, { signal: begun.signal, from, speed })
      .catch(tell)
      .finally(() => {
        if (playing === begun) stop();
      });
  };
  /** @param {number} number */
  const go = async (number) => {
    if (playing) stop();
    const turn = ++asked;
    try {
      const image = await file.frame(number);
      if (turn !== asked || closed) return;
      showFrame(image, number);
      stop();
    } catch (error) {
      tell(error);
    }
  };
  whole.labelAt = (x, y) => {
    const { image } = whole;
    return image && !image.pixels && !playing ? image.labels[y * image.width + x] : null;
  };
  whole.player = {
    toggle: () => (playing ? stop() : start()),
    go,
    step: (by) => go((shown + by + file.frames) % file.frames),
  };
  whole.close = () => {
    closed = true;
    stop();
  };
  element("player", HTMLElement).hidden = false;
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) go(0);
  else start();
  return whole;
}

let loading = 0;

/** @param {Named} file */
async function show(file) {
  const number = ++loading;
  picture?.close();
  picture = highlighted = null;
  for (const tool of tools) tool.disabled = true;
  list("facts", []);
  for (const id of ["colors", "about", "parts", "player"]) element(id, HTMLElement).hidden = true;
  element("name", HTMLElement).textContent = file.name;
  document.title = `${file.name} – KQF viewer`;
  document.body.dataset.state = "loading";
  say("Loading…");
  paint();
  try {
    const found = await load(file);
    if (number !== loading) return found.close();
    picture = found;
    for (const tool of tools)
      tool.disabled = tool.id === "save" && found.width * found.height > MAX_WHOLE;
    canvas.setAttribute("aria-label", `${file.name}, ${found.width} by ${found.height} pixels`);
    say("");
    fit();
    document.body.dataset.state = "shown";
  } catch (error) {
    if (number !== loading) return;
    say(explain(error));
    document.body.dataset.state = "failed";
  }
}

/** @type {Named[]} */
let named = [];

/** @param {Named[]} added */
function add(added) {
  if (!added.length) return;
  named = added;
  files.replaceChildren(...named.map(({ name }, i) => new Option(name, String(i))));
  files.hidden = named.length < 2;
  element("name", HTMLElement).hidden = named.length > 1;
  show(named[0]);
}

/** @param {Iterable<File>} chosen */
function addFiles(chosen) {
  add([...chosen].map((file) => ({ name: file.name, source: file })));
}

async function save() {
  if (!picture) return;
  const whole = newCanvas(picture.width, picture.height);
  const target = /** @type {CanvasRenderingContext2D} */ (whole.getContext("2d"));
  if (picture.image) picture.image.draw(whole);
  else target.drawImage(canvas, 0, 0);
  const blob = await new Promise((done) => whole.toBlob(done));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = (element("name", HTMLElement).textContent ?? "").replace(/(\.kqf)?$/i, ".png");
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

// Events.

/** @param {string} id @param {() => void} action */
const click = (id, action) => element(id, HTMLElement).addEventListener("click", action);
click("in", () => zoom(2));
click("out", () => zoom(0.5));
click("fit", fit);
click("one", () => zoom(1 / scale));
click("save", save);
click("details", () => {
  panel.hidden = !panel.hidden;
  element("details", HTMLElement).setAttribute("aria-pressed", String(!panel.hidden));
});
click("play", () => picture?.player?.toggle());
click("back", () => picture?.player?.step(-1));
click("next", () => picture?.player?.step(1));
element("frame", HTMLInputElement).addEventListener("input", (event) => {
  picture?.player?.go(Number(/** @type {HTMLInputElement} */ (event.target).value));
});
files.addEventListener("change", () => show(named[Number(files.value)]));
element("open", HTMLInputElement).addEventListener("change", (event) => {
  addFiles(/** @type {HTMLInputElement} */ (event.target).files ?? []);
});
for (const name of /** @type {const} */ (["dragover", "dragleave", "drop"])) {
  stage.addEventListener(name, (event) => {
    event.preventDefault();
    stage.classList.toggle("over", name === "dragover");
    if (name === "drop") addFiles(event.dataTransfer?.files ?? []);
  });
}
canvas.addEventListener(
  "wheel",
  (event) => {
    event.preventDefault();
    zoom(2 ** (-event.deltaY / (event.ctrlKey ? 100 : 400)), event.offsetX, event.offsetY);
  },
  { passive: false },
);
/** @type {Map<number, PointerEvent>} */
const pointers = new Map();
canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, event);
  canvas.classList.add("moving");
});
canvas.addEventListener("pointermove", (event) => {
  const before = pointers.get(event.pointerId);
  if (before) {
    const other = [...pointers.values()].find((pointer) => pointer !== before);
    if (other) {
      /** @param {PointerEvent} pointer */
      const apart = (pointer) =>
        Math.hypot(pointer.offsetX - other.offsetX, pointer.offsetY - other.offsetY);
      zoom(apart(event) / Math.max(apart(before), 1), other.offsetX, other.offsetY);
    } else pan(event.offsetX - before.offsetX, event.offsetY - before.offsetY);
    pointers.set(event.pointerId, event);
  }
  showPixel(event.offsetX, event.offsetY);
});
for (const name of /** @type {const} */ (["pointerup", "pointercancel"])) {
  canvas.addEventListener(name, (event) => {
    pointers.delete(event.pointerId);
    canvas.classList.toggle("moving", pointers.size > 0);
  });
}
canvas.addEventListener("keydown", (event) => {
  const step = 80;
  /** @type {Record<string, () => void>} */
  const actions = {
    "+": () => zoom(2),
    "=": () => zoom(2),
    "-": () => zoom(0.5),
    0: fit,
    1: () => zoom(1 / scale),
    " ": () => picture?.player?.toggle(),
    ",": () => picture?.player?.step(-1),
    ".": () => picture?.player?.step(1),
    ArrowLeft: () => pan(step, 0),
    ArrowRight: () => pan(-step, 0),
    ArrowUp: () => pan(0, step),
    ArrowDown: () => pan(0, -step),
  };
  if (event.ctrlKey || event.metaKey || !actions[event.key]) return;
  event.preventDefault();
  actions[event.key]();
});

/** @param {number} stageX @param {number} stageY */
function showPixel(stageX, stageY) {
  const text = element("pixel", HTMLElement);
  text.textContent = "";
  if (!picture) return;
  const x = Math.floor(centre[0] + (stageX - stage.clientWidth / 2) / scale);
  const y = Math.floor(centre[1] + (stageY - stage.clientHeight / 2) / scale);
  if (x < 0 || y < 0 || x >= picture.width || y >= picture.height) return;
  const label = picture.labelAt(x, y);
  const swatch = label === null ? null : element("palette", HTMLElement).children[label];
  const color = swatch?.getAttribute("aria-label")?.split(",")[0];
  text.textContent = `x ${x}, y ${y}` + (color ? `, label ${color}` : "");
}

new ResizeObserver(() => (fitted ? fit() : paint())).observe(stage);
if (matchMedia("(max-width: 700px)").matches) element("details", HTMLElement).click();
// The files that the page was made for, or that its address names.
/** @type {{name: string, address: string}[]} */
const given = JSON.parse(document.getElementById("named")?.textContent ?? "[]");
const asked = new URLSearchParams(location.search).getAll("src");
add([
  ...given.map(({ name, address }) => ({ name, source: address })),
  ...asked.map((address) => ({ name: address.split("/").pop() ?? address, source: address })),
]);
