"use strict";

// Side of the close view, in pixels of the picture.
const WINDOW = 48;
const config = { displayModeBar: false, responsive: true };

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function css(entry) {
  const [red, green, blue, alpha = 255] = entry;
  return `rgb(${red} ${green} ${blue} / ${alpha / 255})`;
}

// As plotly takes it.
function opaque(entry) {
  return `rgb(${entry.slice(0, 3).join(",")})`;
}

function hex(entry) {
  const shown = entry.length === 4 && entry[3] === 255 ? entry.slice(0, 3) : entry;
  return "#" + shown.map((value) => value.toString(16).padStart(2, "0")).join("");
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

function layout(more) {
  const axis = { gridcolor: color("--line"), zerolinecolor: color("--line") };
  const { xaxis, yaxis, ...rest } = more;
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: color("--text"), family: "system-ui, sans-serif" },
    margin: { l: 60, r: 60, t: 20, b: 50 },
    // To be told from the page, light or dark.
    colorway: ["#2a9d8f", "#d9663b", "#8f6fd1", "#7f8c8d", "#c08a00", "#c2518f"],
    legend: { orientation: "h", yref: "container", y: 1, yanchor: "top" },
    xaxis: { ...axis, ...xaxis },
    yaxis: { ...axis, ...yaxis },
    ...rest,
  };
}

class Picture {
  constructor(section) {
    this.section = section;
    this.data = JSON.parse(section.querySelector("script.data").textContent);
    this.stage = this.find(".stage");
    this.known = new Map();
    this.inView = false;
    this.camera = { center: { x: 0, y: 0, z: -0.15 }, eye: { x: 1.8, y: 1.8, z: 0.8 } };
    this.listen();
    this.stage.classList.toggle("small", this.data.width < 400);
    this.choose();
    this.drawFlat();
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

  pixels(uri) {
    if (!this.known.has(uri)) this.known.set(uri, pixelsOf(uri));
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
    on(".space", "change", () => this.drawScatter());
    on(".measure", "change", () => this.drawFlat());
    for (const button of this.section.querySelectorAll(".turn")) {
      button.addEventListener("click", () => this.turn(Number(button.dataset.by)));
    }
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
    if (this.inView) this.drawScatter();
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

  // Only what was asked for last is drawn: decoding takes its time.
  async draw() {
    const [variant, gain] = [this.variant, this.gain];
    const asError = this.find(".as-error").checked;
    const turn = (this.drawing = (this.drawing ?? 0) + 1);
    const uris = [this.find(".original").src, variant.uri, ...(variant.detail?.uris ?? [])];
    const [original, result, ...detail] = await Promise.all(uris.map((uri) => this.pixels(uri)));
    if (turn !== this.drawing) return;
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

  // Plotly tells where a drag ended, not where the plot came to rest.
  keepCamera() {
    this.camera = this.find(".cloud")._fullLayout?.scene?._scene?.getCamera() ?? this.camera;
  }

  drawScatter() {
    this.keepCamera();
    const space = this.find(".space").value;
    const { sample } = this.data;
    const { palette, oklab, shares } = this.variant;
    const points = (colors, lab) => {
      // Oklab's lightness points up.
      const [x, y, z] = space === "rgb" ? [0, 1, 2] : [1, 2, 0];
      const from = space === "rgb" ? colors : lab;
      return { x: from.map((c) => c[x]), y: from.map((c) => c[y]), z: from.map((c) => c[z]) };
    };
    const common = { type: "scatter3d", mode: "markers" };
    const traces = [
      {
        ...common,
        ...points(sample.rgb, sample.oklab),
        name: "pixels",
        marker: { size: 2, color: sample.rgb.map(opaque), opacity: 0.5 },
        hoverinfo: "skip",
      },
      {
        ...common,
        ...points(palette, oklab),
        name: "palette",
        text: palette.map((entry, label) => `${label}: ${hex(entry)}`),
        hoverinfo: "text",
        marker: {
          size: shares.map((share) => 8 + 24 * Math.sqrt(share)),
          color: palette.map(opaque),
          opacity: 1,
          line: { color: color("--text"), width: 2 },
        },
      },
    ];
    const titles = space === "rgb" ? ["red", "green", "blue"] : ["a", "b", "L"];
    const axes = titles.map((title) => ({
      title: { text: title },
      gridcolor: color("--line"),
      color: color("--text"),
      backgroundcolor: "rgba(0,0,0,0)",
      ...(space === "rgb" ? { range: [0, 255] } : {}),
    }));
    const scene = {
      xaxis: axes[0],
      yaxis: axes[1],
      zaxis: axes[2],
      camera: this.camera,
    };
    const plot = this.find(".cloud");
    const margin = { l: 0, r: 0, t: 0, b: 0 };
    Plotly.react(plot, traces, layout({ scene, margin, showlegend: false }), config);
  }

  turn(degrees) {
    this.keepCamera();
    const { eye } = this.camera;
    const angle = (degrees * Math.PI) / 180;
    this.camera = {
      ...this.camera,
      eye: {
        x: eye.x * Math.cos(angle) - eye.y * Math.sin(angle),
        y: eye.x * Math.sin(angle) + eye.y * Math.cos(angle),
        z: eye.z,
      },
    };
    Plotly.relayout(this.find(".cloud"), { "scene.camera": this.camera });
  }

  drawFlat() {
    if (this.find(".elbow")) this.drawElbow();
    if (this.find(".curves")) this.drawCurves();
  }

  drawElbow() {
    const { colors, rmse, bytes, suggested } = this.data.elbow;
    const line = { x: colors, mode: "lines+markers", type: "scatter" };
    const traces = [
      { ...line, y: rmse, name: "error (RMSE)", line: { color: color("--accent") } },
      { ...line, y: bytes, name: "bytes", yaxis: "y2", line: { color: color("--warm"), dash: "dot" } },
    ];
    const at = Math.log2(suggested) * Math.log10(2);
    Plotly.react(
      this.find(".elbow"),
      traces,
      layout({
        xaxis: { type: "log", title: { text: "colours" }, tickvals: colors },
        yaxis: { title: { text: "error (RMSE)" }, rangemode: "tozero" },
        yaxis2: {
          title: { text: "bytes" },
          overlaying: "y",
          side: "right",
          rangemode: "tozero",
          showgrid: false,
          tickmode: "auto",
        },
        shapes: [
          {
            type: "line",
            x0: suggested,
            x1: suggested,
            y0: 0,
            y1: 1,
            yref: "paper",
            line: { color: color("--quiet"), dash: "dash", width: 1.5 },
          },
        ],
        annotations: [
          { x: at, y: 1, yref: "paper", text: ` suggested: ${suggested}`, showarrow: false, xanchor: "left", yanchor: "top" },
        ],
        margin: { l: 60, r: 70, t: 20, b: 50 },
      }),
      config,
    );
  }

  drawCurves() {
    const measure = this.find(".measure").value;
    const known = (curve) => curve[measure].some((value) => value !== null);
    this.find(".measure option[value=ssim]").disabled = !this.data.curves.some((curve) =>
      curve.ssim.some((value) => value !== null),
    );
    const own = [color("--accent"), color("--warm")];
    const traces = this.data.curves.filter(known).map((curve, number) => ({
      type: "scatter",
      mode: curve.bits.length > 1 ? "lines+markers" : "markers",
      name: curve.name,
      x: curve.bits,
      y: curve[measure],
      text: curve.names,
      marker: { size: curve.name.startsWith("KQF") ? 8 : 6, symbol: number },
      line: {
        width: curve.name.startsWith("KQF") ? 3 : 1.5,
        ...(curve.name.startsWith("KQF") ? { color: own.shift() } : {}),
      },
    }));
    Plotly.react(
      this.find(".curves"),
      traces,
      layout({
        xaxis: { title: { text: "bits per pixel" }, rangemode: "tozero" },
        yaxis: { title: { text: measure === "psnr" ? "PSNR, dB" : "SSIM" } },
      }),
      config,
    );
  }

  // A browser draws in space on few canvases at a time: only plots in view have one.
  enter(inView) {
    if (inView === this.inView) return;
    this.inView = inView;
    if (inView) {
      this.drawScatter();
    } else {
      this.keepCamera();
      Plotly.purge(this.find(".cloud"));
    }
  }

  restyle() {
    this.drawFlat();
    if (this.inView) this.drawScatter();
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
const pictures = new Map();
const watcher = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) pictures.get(entry.target).enter(entry.isIntersecting);
  },
  { rootMargin: "200px" },
);
for (const section of document.querySelectorAll("section.image")) {
  const picture = new Picture(section);
  pictures.set(section.querySelector(".cloud"), picture);
  watcher.observe(section.querySelector(".cloud"));
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const picture of pictures.values()) picture.restyle();
});
