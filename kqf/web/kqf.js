// @ts-check
/**
 * A decoder of KQF images, versions 1 and 2, for browsers and Node 22.17 and later.
 *
 * The section numbers refer to the specification of the format, spec/kqf.md in the source.
 */

const SIGNATURE = [0x89, 0x4b, 0x51, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];
/** Pixels that are decoded at once unless the caller allows more; the same as in Python. */
export const MAX_PIXELS = 178956970;
const MAX_SIDE = 2 ** 31 - 1;
const MIB = 2 ** 20;
// Section 9.3: n bytes of a stream inflate to at most 1032 n, and a stream has at least 9 bytes.
const MAX_RATIO = 1032;
const MIN_STREAM = 9;
const FRAME = 12;
const COPY = 3;
const PACKED = 4;
const PREDICTORS = ["none", "left", "up", "copy", "packed"];
// Chunks before the tiles that are kept; those of metadata, which are the last five, are not empty.
const KEPT = ["RANK", "SHAP", "ANIM", "tidx", "iccp", "exif", "xmp ", "phys", "text"];
const CRITICAL_1 = "HEAD|CODE|RANK|LABL|DONE";
const CRITICAL = `${CRITICAL_1}|PCOD|SHAP|ANIM|FRAM`;
// What a group of frames may hold, in this order.
const GROUP = ["CODE", "PCOD", "RANK", "SHAP", "FRAM"];
const MAX_SIDE_OF_TILES = 65281;
// A placed shape reaches at most this far to the right of and below its upper left pixel.
const REACH = 254;
// Bytes handed to a DecompressionStream at once: it may inflate all of them before it is stopped.
const SLICE = 65536;
// Tiles are inflated side by side as long as they have no more pixels than this together, sixteen
// at most.
const AHEAD_PIXELS = 2 ** 22;
// Images of more pixels than this may be decoded by two threads, where there are workers.
const LARGE_PIXELS = 2 ** 19;
// Pixels that are drawn at once.
const BAND = 65536;
// Bytes that are fetched at least, where a file is read in ranges.
const FETCH = 65536;

/** @typedef {"wrong" | "truncated" | "unsupported" | "limit"} Kind */
/** @typedef {[left: number, upper: number, right: number, lower: number]} Box pixels */
/**
 * @typedef {object} Metadata
 * @property {Uint8Array} [iccProfile]
 * @property {Uint8Array} [exif]
 * @property {Uint8Array} [xmp]
 * @property {[number, number]} [dpi] across and down
 * @property {string} [comment]
 */
/**
 * @typedef {object} ReadOptions
 * @property {readonly number[]} [region] left, upper, right, lower; the whole image without it
 * @property {number} [maxPixels] of the tiles to decode, MAX_PIXELS unless given
 * @property {AbortSignal} [signal] ends the reading
 * @property {(image: KqfImage, upper: number, lower: number) => void} [onRows] is called when rows
 *     of the image that is being read are there; if it has shapes, once for all of them. Of large
 *     images it may be called with no rows before, so that a canvas is made while others decode
 */
/**
 * @typedef {object} FrameOptions
 * @property {number} [maxPixels] of a frame, MAX_PIXELS unless given
 * @property {number} [maxWork] pixels and blocks of all frames to decode, 64 MAX_PIXELS unless given
 * @property {AbortSignal} [signal] ends the reading
 */
/** @typedef {{offset: number, type: string, length: number}} Chunk */
/** @typedef {{x: number, y: number, shape: number}} Placement */
/**
 * @typedef {object} Shape
 * @property {number} height
 * @property {number} width
 * @property {Uint16Array} offsets of the painted pixels, x * 256 + y
 * @property {Uint8Array} labels of the painted pixels
 */

/**
 * A file that cannot be read.
 *
 * `kind` is "wrong" if the file breaks a rule, "truncated" if it ends too early, "unsupported" if
 * a later version may read it, "limit" if it exceeds a limit of the caller. `chunk` is the type of
 * the chunk at fault, or "file"; `field` says what was wrong in it.
 */
export class KqfError extends Error {
  /**
   * @param {Kind} kind
   * @param {string} chunk
   * @param {string} field
   * @param {unknown} expected
   * @param {unknown} found
   */
  constructor(kind, chunk, field, expected, found) {
    super(`${chunk}: ${field}: expected ${expected}, found ${found}`);
    this.name = "KqfError";
    this.kind = kind;
    this.chunk = chunk;
    this.field = field;
    this.expected = expected;
    this.found = found;
  }
}

/** @type {(...error: ConstructorParameters<typeof KqfError>) => never} */
function fail(...error) {
  throw new KqfError(...error);
}

/** @type {(...error: [chunk: string, field: string, expected: unknown, found: unknown]) => never} */
const wrong = (...error) => fail("wrong", ...error);

/**
 * Refuse a number that is less or more than allowed.
 *
 * @param {string} chunk
 * @param {string} field
 * @param {number} found
 * @param {number} least
 * @param {number} [most] the same unless given
 * @param {Kind} [kind]
 */
function within(chunk, field, found, least, most = least, kind = "wrong") {
  if (!(found >= least && found <= most)) {
    fail(kind, chunk, field, least < most ? `${least} to ${most}` : least, found);
  }
}

/** @param {string} expected @param {string} type of a chunk */
const misplaced = (expected, type) => wrong("file", "chunk order", expected, type);

// Checksums.

const CRC = new Int32Array(1024);
for (let n = 0; n < 1024; n++) {
  let c = n < 256 ? n : CRC[n - 256];
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  CRC[n] = c;
}

/** Return the CRC-32 of bytes, as PNG has it. @param {Uint8Array | Uint8ClampedArray} data */
export function crc32(data) {
  let c = -1;
  let i = 0;
  for (; i + 4 <= data.length; i += 4) {
    c ^= data[i] | (data[i + 1] << 8) | (data[i + 2] << 16) | (data[i + 3] << 24);
    c =
      CRC[768 + (c & 255)] ^
      CRC[512 + ((c >>> 8) & 255)] ^
      CRC[256 + ((c >>> 16) & 255)] ^
      CRC[c >>> 24];
  }
  for (; i < data.length; i++) c = (c >>> 8) ^ CRC[(c ^ data[i]) & 255];
  return ~c >>> 0;
}

/** @param {Uint8Array} data @param {number} at */
function u32(data, at) {
  return ((data[at] << 24) | (data[at + 1] << 16) | (data[at + 2] << 8) | data[at + 3]) >>> 0;
}

/**
 * The module for large images, once it is loaded.
 *
 * @type {Partial<typeof import("./parallel.js")> | undefined}
 */
let parallel;

// Inflating (section 8).

/**
 * Inflate one whole zlib stream of at most `size` bytes.
 *
 * @param {Uint8Array} data at least MIN_STREAM bytes
 * @param {number} size
 * @param {string} chunk
 * @param {Uint8Array} [out] of that size
 */
async function inflate(data, size, chunk, out = new Uint8Array(size)) {
  const [method, flags] = data;
  if ((method & 15) !== 8 || method > 127 || flags & 32 || (method * 256 + flags) % 31) {
    wrong(chunk, "zlib stream", "a zlib header", [method, flags]);
  }
  const stream = new DecompressionStream("deflate");
  const writer = stream.writable.getWriter();
  const reader = stream.readable.getReader();
  let written = false;
  const feed = async () => {
    for (let at = 0; at < data.length; at += SLICE) {
      const slice = /** @type {Uint8Array<ArrayBuffer>} */ (data.subarray(at, at + SLICE));
      await writer.write(slice);
    }
    written = true;
    await writer.close();
  };
  // What is written is checked by what is read.
  feed().catch(() => {});
  let n = 0;
  for (;;) {
    const { done, value } = await reader.read().catch(({ code }) => {
      // Node has codes, others refuse a stream that is cut when it is closed.
      const cut = code ? code === "Z_BUF_ERROR" : written;
      return fail(cut ? "truncated" : "wrong", chunk, "zlib stream", "a whole one", "another");
    });
    if (done) return out.subarray(0, n);
    if (n + value.length > size) {
      reader.cancel().catch(() => {});
      wrong(chunk, "inflated size", `at most ${size}`, "more");
    }
    out.set(value, n);
    n += value.length;
  }
}

/** @param {number} length @param {number} size @param {string} chunk */
const checkRatio = (length, size, chunk) =>
  within(chunk, "zlib stream", length, Math.max(MIN_STREAM, Math.ceil(size / MAX_RATIO)), Infinity);

/**
 * Inflate a stream to exactly `size` bytes.
 *
 * @param {Uint8Array} data
 * @param {number} size
 * @param {string} chunk
 * @param {string} field what is wrong if there are fewer
 * @param {Uint8Array} [out] of that size
 */
async function inflateTo(data, size, chunk, field, out) {
  checkRatio(data.length, size, chunk);
  const found = await inflate(data, size, chunk, out);
  within(chunk, field, found.length, size);
  return found;
}

// Where bytes come from.

/** The bytes of a file: all of them, or fetched range by range, or as they arrive. */
class Source {
  /**
   * @param {number} size
   * @param {Uint8Array} [data] the first bytes
   * @param {(start: number, end: number, signal?: AbortSignal) => Promise<Uint8Array>} [fetch]
   *     gives others
   */
  constructor(size, data = new Uint8Array(0), fetch = async () => data) {
    this.size = size;
    this.data = data;
    this.fetch = fetch;
    this.start = 0;
  }

  /**
   * Return how many bytes there are from a place on, once `count` of them or all are known.
   *
   * @param {number} at
   * @param {number} _count
   */
  async left(at, _count) {
    return this.size - at;
  }

  /**
   * Return `count` bytes, which must be there.
   *
   * @param {number} at
   * @param {number} count
   * @param {AbortSignal} [signal]
   */
  async read(at, count, signal) {
    if (at < this.start || at + count > this.start + this.data.length) {
      const end = Math.min(this.size, at + Math.max(count, FETCH));
      const data = await this.fetch(at, end, signal);
      if (data.length !== end - at) {
        throw new Error(`expected ${end - at} bytes, found ${data.length}`);
      }
      this.data = data;
      this.start = at;
    }
    return this.data.subarray(at - this.start, at - this.start + count);
  }
}

/** @param {string | URL} url @param {RequestInit} init */
async function urlSource(url, init) {
  /** @param {number} from @param {number} to @param {AbortSignal} [signal] */
  const request = async (from, to, signal) => {
    const headers = new Headers(init.headers);
    headers.set("Range", `bytes=${from}-${to - 1}`);
    const response = await fetch(url, { ...init, headers, signal: signal ?? init.signal });
    const { status } = response;
    const range = /(\d+)-\d+\/(\d+)/.exec(response.headers.get("Content-Range") ?? "");
    const found = status === 206 && Number(range?.[1]) === from;
    if (!(found || (!from && (response.ok || status === 416)))) {
      throw new Error(`${url}: ${status} ${response.statusText}`);
    }
    return { response, size: found ? Number(range?.[2]) : 0 };
  };
  const { response, size } = await request(0, FETCH);
  if (!size) return response.ok ? streamSource(response) : new Source(0);
  const others = async (/** @type {Parameters<typeof request>} */ ...range) =>
    bytesOf((await request(...range)).response);
  return new Source(size, await bytesOf(response), others);
}

/** Return a source that keeps the bytes of a response as they arrive. @param {Response} response */
function streamSource({ body }) {
  const reader = body?.getReader();
  const source = new Source(reader ? Infinity : 0);
  let kept = new Uint8Array(FETCH);
  source.left = async (at, count) => {
    while (reader && source.size === Infinity && source.data.length < at + count) {
      const { done, value } = await reader.read();
      const { length } = source.data;
      if (done) {
        source.size = length;
        break;
      }
      const end = length + value.length;
      if (end > kept.length) {
        kept = new Uint8Array(2 * end);
        kept.set(source.data);
      }
      kept.set(value, length);
      source.data = kept.subarray(0, end);
    }
    return source.size - at;
  };
  return source;
}

/** @param {Response | Blob} source */
const bytesOf = async (source) => new Uint8Array(await source.arrayBuffer());

// Images.

/** Return the orientation that Exif data state, 1 to 8. @param {Uint8Array} exif */
function orientationOf(exif) {
  // Some programs leave the name that stands before Exif data in JPEG files.
  const data = exif.slice(exif[0] === 0x45 ? 6 : 0);
  const view = new DataView(data.buffer);
  const little = data[0] === 0x49;
  try {
    const first = view.getUint32(4, little);
    const end = first + 2 + 12 * view.getUint16(first, little);
    for (let at = first + 2; at < end; at += 12) {
      const value = view.getUint16(at + 8, little);
      if (view.getUint16(at, little) === 0x112 && value >= 1 && value <= 8) return value;
    }
  } catch {
    // The data end too early.
  }
  return 1;
}

/** An image of labels and a codebook. */
export class KqfImage {
  /**
   * @param {number} width
   * @param {number} height
   * @param {Uint8Array} labels of the pixels, row by row
   * @param {Uint8Array} codebook entries of `channels` bytes each
   * @param {number} channels 1 gray, 2 gray and alpha, 3 RGB, 4 RGBA
   * @param {Metadata} metadata
   * @param {Uint32Array | null} [pixels] of a frame with colours of several codebooks; its labels
   *     say nothing
   */
  constructor(width, height, labels, codebook, channels, metadata, pixels = null) {
    this.width = width;
    this.height = height;
    this.labels = labels;
    this.codebook = codebook;
    this.channels = channels;
    this.metadata = metadata;
    this.pixels = pixels;
  }

  /** Return the entries of the codebook as red, green, blue and alpha, four bytes each. */
  palette() {
    const { codebook, channels } = this;
    const palette = new Uint8Array((codebook.length / channels) * 4);
    for (let from = 0, to = 0; from < codebook.length; from += channels, to += 4) {
      for (let k = 0; k < 3; k++) palette[to + k] = codebook[from + (channels > 2 ? k : 0)];
      palette[to + 3] = channels % 2 ? 255 : codebook[from + channels - 1];
    }
    return palette;
  }

  #colors() {
    return new Uint32Array(this.palette().buffer);
  }

  /** Return the pixels as red, green, blue and alpha, four bytes each. */
  rgba() {
    const { labels, pixels } = this;
    const colors = this.#colors();
    const found = pixels?.slice() ?? new Uint32Array(labels.length);
    if (!pixels) for (let i = 0; i < labels.length; i++) found[i] = colors[labels[i]];
    return new Uint8ClampedArray(/** @type {ArrayBuffer} */ (found.buffer));
  }

  /** Return the image as its Exif data say that it is to be looked at. */
  upright() {
    const { exif } = this.metadata;
    const orientation = exif ? orientationOf(exif) : 1;
    if (orientation < 2) return this;
    const { width, height, labels, pixels } = this;
    const turned = orientation > 4;
    const [w, h] = turned ? [height, width] : [width, height];
    // 2, 3, 7 and 8 are mirrored across, 3, 4, 6 and 7 are mirrored down.
    const mirrored = [(396 >> orientation) & 1, (216 >> orientation) & 1];
    const first = mirrored[0] * (width - 1) + mirrored[1] * (height - 1) * width;
    const steps = [mirrored[0] ? -1 : 1, mirrored[1] ? -width : width];
    const [across, down] = turned ? steps.reverse() : steps;
    const from = (/** @type {number} */ i) => first + (i % w) * across + Math.floor(i / w) * down;
    return new KqfImage(
      w,
      h,
      labels.map((_, i) => labels[from(i)]),
      this.codebook,
      this.channels,
      this.metadata,
      pixels && pixels.map((_, i) => pixels[from(i)]),
    );
  }

  toImageData() {
    return new ImageData(this.rgba(), this.width, this.height);
  }

  async toImageBitmap() {
    const canvas = new OffscreenCanvas(1, 1);
    this.draw(canvas);
    return canvas.transferToImageBitmap();
  }

  /**
   * Make a canvas as large as the image, and draw it there.
   *
   * @param {HTMLCanvasElement | OffscreenCanvas} canvas
   */
  draw(canvas) {
    canvas.width = this.width;
    canvas.height = this.height;
    this.drawRows(canvas, 0, this.height);
  }

  /**
   * Draw some rows of the image on a canvas that is as large.
   *
   * @param {HTMLCanvasElement | OffscreenCanvas} canvas
   * @param {number} upper
   * @param {number} lower
   */
  drawRows(canvas, upper, lower) {
    const { width, labels, pixels } = this;
    const context = /** @type {CanvasRenderingContext2D | null} */ (
      canvas.getContext("2d", { willReadFrequently: true })
    );
    if (!context) throw new Error("the canvas is too large");
    // Before any rows are there a blank one is drawn, for which the canvas takes its memory.
    lower ||= 1;
    // A few rows at once: new memory for all pixels takes longer than to fill it.
    const rows = Math.min(lower - upper, Math.ceil(BAND / width));
    const data = new ImageData(width, rows);
    const band = new Uint32Array(data.data.buffer);
    const colors = this.#colors();
    for (let y = upper; y < lower; y += rows) {
      const part = (pixels ?? labels).subarray(y * width, y * width + band.length);
      if (pixels) band.set(part);
      else for (let i = 0; i < part.length; i++) band[i] = colors[part[i]];
      context.putImageData(data, 0, y, 0, 0, width, Math.min(rows, lower - y));
    }
  }
}

// Predictors (section 7). All work on a tile as it is stored, w wide and h high.
//
// Short functions with long loops are asynchronous: V8 builds others into their callers, where such
// loops take twice as long.

/**
 * Turn ranks into labels, in place.
 *
 * @param {Uint8Array} tile
 * @param {number} w
 * @param {Uint8Array} order labels by context * 256 + rank
 * @param {boolean} up whether contexts are above, not to the left
 */
async function unrank(tile, w, order, up) {
  if (up) {
    for (let i = 0; i < w; i++) tile[i] = order[tile[i]];
    for (let i = w; i < tile.length; i++) tile[i] = order[(tile[i - w] << 8) | tile[i]];
    return;
  }
  for (let row = 0; row < tile.length; row += w) {
    let label = 0;
    for (let i = row; i < row + w; i++) tile[i] = label = order[(label << 8) | tile[i]];
  }
}

/** @param {Uint8Array} packed @param {number} w @param {number} used bits of the last row, 0 for all @param {string} field */
function checkPadding(packed, w, used, field) {
  if (!used) return;
  for (let i = packed.length - w; i < packed.length; i++) {
    if (packed[i] >> used) wrong("LABL", field, "zero", "others");
  }
}

/**
 * Decode the labels of predictor copy (section 7.4), and return how many of them are new.
 *
 * @param {Uint8Array} codes
 * @param {Uint8Array} symbols new labels, or their ranks
 * @param {number} w
 * @param {Uint8Array} tile gets the labels
 * @param {Uint8Array | null} order for ranks
 */
function copied(codes, symbols, w, tile, order) {
  // The four rows of codes of a band, each from a whole word on: most codes are 0, and four columns
  // of them are skipped at once.
  const quarter = (w + 3) >> 2;
  const words = new Uint32Array(4 * quarter);
  const band = new Uint8Array(words.buffer);
  const changing = new Uint16Array(quarter);
  // Which symbol is the next of each column, and how many labels of a byte are new.
  const places = new Uint32Array(4 * quarter);
  const fresh = new Uint8Array(256);
  for (let i = 0; i < 256; i++) fresh[i] = fresh[i >> 2] + (i & (i >> 1) & 1);
  // The row above until it is changed, with zeros beside it.
  const row = new Uint8Array(4 * quarter + 2);
  let next = 0;
  for (let from = 0, at = 0; at < tile.length; ) {
    band.fill(0);
    for (let to = 0; to < band.length; to += 4 * quarter) {
      band.set(codes.subarray(from, (from += w)), to);
    }
    for (let x = 0; x < w; x++) {
      const i = x >> 2;
      if (!(words[i] | words[i + quarter] | words[i + 2 * quarter] | words[i + 3 * quarter])) {
        x |= 3;
        continue;
      }
      places[x] = next;
      for (let k = x; k < band.length; k += 4 * quarter) next += fresh[band[k]];
    }
    for (let y = 0, n = 0; y < 16 && at < tile.length; y++, at += w) {
      const first = (y >> 2) * quarter;
      const shift = 2 * (y & 3);
      if (!shift) {
        n = 0;
        for (let i = 0; i < quarter; i++) if (words[first + i]) changing[n++] = i;
      }
      for (let k = 0; k < n; k++) {
        let x = 4 * changing[k];
        // The codes of four columns in a row, the first in the highest byte.
        let four = (u32(band, 4 * first + x) >>> shift) & 0x3030303;
        for (; four; four <<= 8, x++) {
          const code = four >>> 24;
          // Codes 0, 1 and 2 take the label in this column, in that before it, in that after it:
          // branches would be guessed wrongly.
          if (code < 3) row[x + 1] = row[x + ((0x201 >> (4 * code)) & 3)];
          else {
            const symbol = symbols[places[x]++];
            row[x + 1] = order ? order[(row[x + 1] << 8) | symbol] : symbol;
          }
        }
      }
      tile.set(row.subarray(1, w + 1), at);
    }
  }
  return next;
}

/** @param {Uint8Array} planes of differences (section 5.7) @param {number} channels */
function unpackCodebook(planes, channels) {
  const colors = planes.length / channels;
  const codebook = new Uint8Array(planes.length);
  for (let channel = 0; channel < channels; channel++) {
    // Red and blue are stored less green.
    const green = channels > 2 && (channel === 0 || channel === 2);
    for (let k = 0, value = 0; k < colors; k++) {
      value += planes[channel * colors + k] + (green ? planes[colors + k] : 0);
      codebook[k * channels + channel] = value;
    }
  }
  return codebook;
}

/**
 * Return labels by context * 256 + rank (section 7.2).
 *
 * @param {Uint8Array} codebook
 * @param {number} channels
 * @param {Uint8Array} [stream] of RANK
 */
async function rankLabels(codebook, channels, stream) {
  const colors = codebook.length / channels;
  const most = colors * (1 + Math.min(colors, 255));
  const table = stream ? await inflate(stream, most, "RANK") : new Uint8Array(colors);
  const order = new Uint8Array(colors * 256);
  const keys = new Uint32Array(colors);
  let at = 0;
  for (let context = 0; context < colors; context++) {
    for (let label = 0; label < colors; label++) keys[label] = 65536 + label;
    for (let k = 0; k < channels; k++) {
      const sample = codebook[context * channels + k];
      for (let label = 0, other = k; label < colors; label++, other += channels) {
        const difference = sample - codebook[other];
        keys[label] += (difference * difference) << 8;
      }
    }
    const end = table[at++] + at;
    if (!(end <= table.length)) wrong("RANK", "entries", "one of each context", "fewer");
    // Labels that are listed come first, in the order of the list.
    for (let n = 0; at < end; n++) {
      const label = table[at++];
      within("RANK", "label", label, 0, colors - 1);
      if (keys[label] < 65536) wrong("RANK", "labels of a context", "others", label);
      keys[label] = n * 256 + label;
    }
    order.set(keys.sort(), context * 256);
  }
  within("RANK", "inflated size", table.length, at);
  return order;
}

/**
 * Return the shapes of a payload of SHAP (section 5.8).
 *
 * @param {Uint8Array} data
 * @param {number} lastLabel
 * @param {number} most pixels of all
 */
async function readShapes(data, lastLabel, most) {
  within("SHAP", "length", data.length, 8, Infinity);
  const count = u32(data, 0);
  const length = u32(data, 4);
  within("SHAP", "count", count, 1, 65536);
  within("SHAP", "sides_length", length, 0, data.length - 8);
  const sides = await inflateTo(
    data.subarray(8, 8 + length),
    3 * count,
    "SHAP",
    "inflated size of sides",
  );
  let area = 0;
  for (let i = 0; i < count; i++) {
    within("SHAP", "side of a shape", Math.min(sides[i], sides[count + i]), 1, 255);
    area += sides[i] * sides[count + i];
  }
  within("SHAP", "pixels of all shapes", area, 0, most);
  const labels = await inflateTo(
    data.subarray(8 + length),
    area,
    "SHAP",
    "inflated size of labels",
  );
  await checkLabels(labels, lastLabel, "SHAP", "label");
  await checkLabels(sides.subarray(2 * count), lastLabel, "SHAP", "label");
  const offsets = new Uint16Array(area);
  const painted = new Uint8Array(area);
  /** @type {Shape[]} */
  const shapes = [];
  for (let i = 0, at = 0, n = 0; i < count; i++) {
    const [height, width, ground] = [sides[i], sides[count + i], sides[2 * count + i]];
    const first = n;
    for (let x = 0; x < width; x++) {
      for (let y = 0; y < height; y++) {
        const label = labels[at++];
        if (label === ground) continue;
        painted[n] = label;
        offsets[n++] = (x << 8) | y;
      }
    }
    within("SHAP", `pixels that shape ${i} paints`, n - first, 4, Infinity);
    const part = [first, n];
    shapes.push({
      height,
      width,
      offsets: offsets.subarray(...part),
      labels: painted.subarray(...part),
    });
  }
  return shapes;
}

/**
 * Return placements (section 5.9).
 *
 * @param {Uint8Array} planes
 * @param {Shape[]} shapes
 * @param {Box} box of the tile
 * @param {number} imageWidth
 * @param {number} imageHeight
 * @param {string} chunk
 * @param {string} what has them
 */
function readPlacements(planes, shapes, box, imageWidth, imageHeight, chunk, what) {
  const [left, upper, right, lower] = box;
  const count = planes.length / 6;
  const field = `placements of ${what}`;
  /** @type {Placement[]} */
  const placements = [];
  let edge = 0;
  let end = 0;
  for (let i = 0; i < count; i++) {
    const down = planes[i] + 256 * planes[count + i];
    const across = planes[2 * count + i] + 256 * planes[3 * count + i];
    const shape = planes[4 * count + i] + 256 * planes[5 * count + i];
    within(chunk, `shape in ${what}`, shape, 0, shapes.length - 1);
    const { height, width } = shapes[shape];
    edge = (edge + down) & 0xffff;
    const dx = ((i && !down ? end : 0) + across) & 0xffff;
    const dy = edge - height;
    end = dx + width;
    const x = left + dx;
    const y = upper + dy;
    if (dy < 0 || y >= lower || x >= right) {
      wrong(chunk, `upper left pixel of ${field}`, "one of the tile", "another");
    }
    if (x + width > imageWidth || y + height > imageHeight) {
      wrong(chunk, field, "inside the image", "others");
    }
    placements.push({ x, y, shape });
  }
  return placements;
}

/**
 * Return the labels of predictor packed (section 7.5).
 *
 * @param {Uint8Array} packed
 * @param {number} w
 * @param {number} h
 * @param {number} share labels of a byte
 */
function unpack(packed, w, h, share) {
  const tile = new Uint8Array(w * h);
  const bits = 8 / share;
  for (let y = 0; y < h; y++) {
    const from = Math.floor(y / share) * w;
    const shift = bits * (y % share);
    const mask = (1 << bits) - 1;
    for (let x = 0; x < w; x++) tile[y * w + x] = (packed[from + x] >> shift) & mask;
  }
  return tile;
}

/** @param {Uint8Array} symbols @param {number} lastLabel @param {string} chunk @param {string} field */
async function checkLabels(symbols, lastLabel, chunk, field) {
  for (let i = 0; lastLabel < 255 && i < symbols.length; i++) {
    if (symbols[i] > lastLabel) within(chunk, field, symbols[i], 0, lastLabel);
  }
}

// Groups of frames (section 5.11).

/** @typedef {{map: Uint8Array | null, placements: Uint8Array}} FrameChanges */
/**
 * @typedef {object} Changes
 * @property {number} side of a block
 * @property {boolean} ranked whether labels are stored as ranks
 * @property {FrameChanges[]} frames
 * @property {Uint8Array} labels of all blocks that change
 * @property {number} work pixels that change, and blocks of maps
 */
/**
 * @typedef {object} Canvas
 * @property {Uint8Array} labels
 * @property {Uint32Array | null} pixels
 * @property {Uint32Array} colors
 * @property {Uint8Array | null} stale which pixels have no label of the codebook in force
 * @property {(pixel: number) => number} nearest gives the label of the entry nearest to a pixel
 */

/**
 * Return a function that gives the label of the entry nearest to a pixel as it is shown.
 *
 * @param {Uint8Array} codebook
 * @param {number} channels
 */
function nearestEntry(codebook, channels) {
  /** @type {Map<number, number>} */
  const known = new Map();
  // How far apart the samples of an entry are in the four bytes of a pixel.
  const step = channels === 2 ? 24 : 8;
  return (/** @type {number} */ pixel) => {
    let label = known.get(pixel);
    if (label === undefined) {
      let least = Infinity;
      for (let k = 0; k < codebook.length / channels; k++) {
        let distance = 0;
        for (let c = 0; c < channels; c++) {
          const difference = ((pixel >> (step * c)) & 255) - codebook[k * channels + c];
          distance += difference * difference;
        }
        if (distance < least) [least, label] = [distance, k];
      }
      known.set(pixel, (label ??= 0));
    }
    return label;
  };
}

/**
 * Call a function for each block that changes, with its box.
 *
 * @param {Uint8Array} map
 * @param {number} side
 * @param {number} width
 * @param {number} height
 * @param {(left: number, upper: number, right: number, lower: number) => void} each
 */
function eachBlock(map, side, width, height, each) {
  const columns = Math.ceil(width / side);
  const blocks = columns * Math.ceil(height / side);
  for (let i = 0; i < map.length; i++) {
    for (let bits = map[i], n = 8 * i; bits; bits >>= 1, n++) {
      if (!(bits & 1)) continue;
      if (n >= blocks) within("FRAM", "bits beyond the last block", 1, 0);
      const left = (n % columns) * side;
      const upper = Math.floor(n / columns) * side;
      each(left, upper, Math.min(left + side, width), Math.min(upper + side, height));
    }
  }
}

/**
 * Return what a payload of FRAM says; null for a whole frame.
 *
 * @param {Uint8Array} data
 * @param {number} width
 * @param {number} height
 * @param {number} lastLabel
 * @returns {Promise<Changes | null>}
 */
async function readChanges(data, width, height, lastLabel) {
  /** @type {(field: string, found: number, least: number, most?: number, kind?: Kind) => void} */
  const check = (...rule) => within("FRAM", ...rule);
  check("length", data.length, 5, Infinity);
  check("kind", data[4], 0, 1, "unsupported");
  if (!data[4]) {
    check("length of a whole frame", data.length, 6);
    return null;
  }
  check("length of changes", data.length, 23, Infinity);
  const count = u32(data, 5);
  const side = data[9];
  check("frames", count, 1, 65536);
  if (![1, 2, 4, 8, 16].includes(side)) wrong("FRAM", "side", "1, 2, 4, 8 or 16", side);
  check("ranked", data[10], 0, 1);
  let rest = data.subarray(23);
  const [countsStream, mapsStream, placementsStream] = ["counts", "maps", "placements"].map(
    (name, i) => {
      const length = u32(data, 11 + 4 * i);
      check(`${name}_length`, length, 0, rest.length);
      const stream = rest.subarray(0, length);
      rest = rest.subarray(length);
      return stream;
    },
  );
  /** @param {Uint8Array} stream @param {string} name @param {number} size @param {number} most */
  const part = async (stream, name, size, most) => {
    if (!size) {
      check(`length of ${name}`, stream.length, 0);
      return stream;
    }
    if (count > 1) check(`${name} of several frames`, size, 0, most);
    return inflateTo(stream, size, "FRAM", `inflated size of ${name}`);
  };
  const counts = await part(countsStream, "counts", 5 * count, Infinity);
  const mapBytes = Math.ceil((Math.ceil(width / side) * Math.ceil(height / side)) / 8);
  const mostPlaced = Math.floor((width * height) / 4);
  const placed = new Uint32Array(count);
  let maps = 0;
  let total = 0;
  for (let i = 0; i < count; i++) {
    check("first plane of counts", counts[i], 0, 1);
    maps += counts[i];
    for (let plane = 4; plane; plane--) placed[i] = placed[i] * 256 + counts[plane * count + i];
    check("placements of a frame", placed[i], 0, mostPlaced);
    total += placed[i];
  }
  const bits = await part(mapsStream, "maps", maps * mapBytes, 2 ** 22);
  const planes = await part(placementsStream, "placements", 6 * total, 6 * 2 ** 20);
  /** @type {FrameChanges[]} */
  const frames = [];
  let pixels = 0;
  for (let i = 0, mapAt = 0, at = 0; i < count; i++) {
    const map = counts[i] ? bits.subarray(mapAt, (mapAt += mapBytes)) : null;
    if (map) {
      eachBlock(map, side, width, height, (left, upper, right, lower) => {
        pixels += (right - left) * (lower - upper);
      });
    }
    frames.push({ map, placements: planes.subarray(at, (at += 6 * placed[i])) });
  }
  const labels = await part(rest, "labels", pixels, 2 ** 22);
  await checkLabels(labels, lastLabel, "FRAM", "label");
  return { side, ranked: data[10] > 0, frames, labels, work: pixels + 8 * maps * mapBytes };
}

/**
 * Give the blocks that change in a frame their labels.
 *
 * @param {Uint8Array} map
 * @param {Changes} changes
 * @param {number} at which of their labels are the frame's
 * @param {Uint8Array | null} order for ranks
 * @param {Canvas} canvas
 * @param {number} width
 * @param {number} height
 * @returns where the labels of the next frame begin
 */
function paintBlocks(map, { side, labels: from }, at, order, canvas, width, height) {
  const { labels, pixels, colors, stale, nearest } = canvas;
  eachBlock(map, side, width, height, (left, upper, right, lower) => {
    for (let x = left; x < right; x++) {
      const end = lower * width + x;
      for (let pixel = upper * width + x; pixel < end; pixel += width) {
        let label = from[at++];
        if (order) {
          const before = stale?.[pixel] && pixels ? nearest(pixels[pixel]) : labels[pixel];
          label = order[(before << 8) | label];
        }
        labels[pixel] = label;
        if (stale) stale[pixel] = 0;
        if (pixels) pixels[pixel] = colors[label];
      }
    }
  });
  return at;
}

/**
 * Paint placements over a canvas, and return how many pixels they have.
 *
 * @param {Uint8Array} planes
 * @param {Shape[] | null} shapes
 * @param {Canvas} canvas
 * @param {number} width
 * @param {number} height
 * @param {number} number of the frame
 */
function paintFrame(planes, shapes, { labels, pixels, colors, stale }, width, height, number) {
  within("FRAM", "canvas with placements", Math.max(width, height), 1, MAX_SIDE_OF_TILES);
  if (!shapes) return wrong("FRAM", "shapes in force", "some", "none");
  const name = `frame ${number}`;
  const found = readPlacements(planes, shapes, [0, 0, width, height], width, height, "FRAM", name);
  let total = 0;
  for (const { shape } of found) total += shapes[shape].labels.length;
  within("FRAM", "pixels painted", total, 0, width * height);
  for (const { x, y, shape } of found) {
    const { offsets, labels: painted } = shapes[shape];
    for (let k = 0; k < painted.length; k++) {
      const pixel = (y + (offsets[k] & 255)) * width + x + (offsets[k] >> 8);
      labels[pixel] = painted[k];
      if (stale) stale[pixel] = 0;
      if (pixels) pixels[pixel] = colors[painted[k]];
    }
  }
  return total;
}

/**
 * Return the whole frames that a payload of fidx lists (section 6.7).
 *
 * @param {Uint8Array} data
 * @returns {[frame: number, offset: number][]}
 */
function frameIndex(data) {
  const { length } = data;
  if (length < 16 || length % 12 !== 4) wrong("fidx", "length", "12 n + 4", length);
  within("fidx", "payload_length", u32(data, length - 4), length);
  /** @type {[number, number][]} */
  const listed = [];
  for (let at = 0; at < length - 4; at += 12) {
    listed.push([u32(data, at), u32(data, at + 4) * 2 ** 32 + u32(data, at + 8)]);
  }
  return listed;
}

// Files.

/** A KQF file whose head has been read; `read` gives its image or a region of it. */
export class KqfFile {
  /** @type {Source} */ #source;
  /** @type {Record<string, Uint8Array>} */ #payloads = {};
  /** @type {Promise<Uint8Array> | undefined} */ #order;
  /** @type {Promise<Shape[]> | undefined} */ #shapes;
  /** Of the reading that goes on. @type {AbortSignal | undefined} */ #signal;
  #labelsAt = 0;
  #position = 8;
  #layout = 0;
  #shaped = false;

  width = 0;
  height = 0;
  tileWidth = 0;
  tileHeight = 0;
  version = 0;
  channels = 0;
  colors = 0;
  columnsFirst = false;
  ranked = false;
  /** Entries of `channels` bytes each. */
  codebook = new Uint8Array(0);
  /** @type {Metadata} */
  metadata = {};
  /** How many frames there are: 1 of a still. */
  frames = 1;
  /** How often an animation is to be played, 0 for ever. */
  loop = 1;
  /** Milliseconds of each frame; none of a still. @type {number[]} */
  durations = [];
  /** The chunks up to the first tile's. @type {Chunk[]} */
  chunks = [];

  /** @param {Source} source */
  constructor(source) {
    this.#source = source;
  }

  /** Bytes of the file; Infinity while they are arriving. */
  get size() {
    return this.#source.size;
  }

  get predictor() {
    return PREDICTORS[this.#layout];
  }

  /** Whether the file has shapes. */
  get shaped() {
    return this.#shaped;
  }

  /** Whether a tile is found without reading what precedes it. */
  get indexed() {
    return "tidx" in this.#payloads;
  }

  /** Tiles beside one another. */
  get columns() {
    return Math.ceil(this.width / this.tileWidth);
  }

  /** Tiles below one another. */
  get rows() {
    return Math.ceil(this.height / this.tileHeight);
  }

  /**
   * Read what stands before the tiles.
   *
   * @param {Source} source
   */
  static async open(source) {
    const file = new KqfFile(source);
    const found = await source.read(0, Math.min(8, await source.left(0, 8)));
    if (String(found) !== String(SIGNATURE)) {
      const begun = found.every((byte, i) => byte === SIGNATURE[i]);
      fail(begun ? "truncated" : "wrong", "file", "signature", SIGNATURE, found);
    }
    await file.#readHead();
    await file.#readCodebook();
    await file.#readPrologue();
    return file;
  }

  /**
   * Refuse a file that ends too early.
   *
   * @param {number} count of the bytes that are due
   * @param {string} chunk
   * @param {string} field
   * @param {number} [at] where they begin
   */
  async #need(count, chunk, field, at = this.#position) {
    const left = await this.#source.left(at, count);
    if (left < count) fail("truncated", chunk, field, `${count} bytes`, left);
  }

  async #chunkHead() {
    await this.#need(8, "file", "chunk head");
    const data = await this.#source.read(this.#position, 8, this.#signal);
    const type = String.fromCharCode(...data.subarray(4));
    if (!/^[a-z][a-z0-9 ]{3}$/i.test(type)) {
      wrong("file", "chunk type", "letters or digits", JSON.stringify(type));
    }
    const length = u32(data, 0);
    if (!this.#labelsAt) this.chunks.push({ offset: this.#position, type, length });
    this.#position += 8;
    return { type, length };
  }

  /** @param {string} type @param {number} length */
  async #chunkBody(type, length) {
    await this.#need(length, type, "payload");
    await this.#need(length + 4, type, "crc");
    const data = await this.#source.read(this.#position - 4, length + 8, this.#signal);
    this.#position += length + 4;
    within(type, "crc", u32(data, length + 4), crc32(data.subarray(0, length + 4)));
    return data.subarray(4, length + 4);
  }

  async #readHead() {
    const { type, length } = await this.#chunkHead();
    if (type !== "HEAD") misplaced("HEAD", type);
    within(type, "length", length, 20);
    const data = await this.#chunkBody(type, length);
    const names = ["width", "height", "tile_width", "tile_height"];
    const sides = names.map((name, i) => {
      const side = u32(data, 4 * i);
      within(type, name, side, 1, MAX_SIDE);
      return side;
    });
    [this.width, this.height, this.tileWidth, this.tileHeight] = sides;
    const [version, channels, lastLabel, layout] = data.subarray(16);
    within(type, "version", version, 1, 2, "unsupported");
    within(type, "channels", channels, 1, 4);
    this.version = version;
    this.channels = channels;
    this.colors = lastLabel + 1;
    if (version > 1) {
      this.#readLayout(layout, "HEAD");
    } else {
      within(type, "predictor", layout, 0, 2);
      this.#layout = layout;
    }
  }

  /** @param {number} layout of version 2 @param {string} chunk */
  #readLayout(layout, chunk) {
    this.#layout = layout & 15;
    within(chunk, "predictor", this.#layout, 0, PACKED, "unsupported");
    within(chunk, "reserved", layout >> 7, 0, 0, "unsupported");
    this.columnsFirst = (layout & 16) > 0;
    this.ranked = (layout & 32) > 0;
    this.#shaped = (layout & 64) > 0;
    const copies = this.#layout === COPY;
    within(chunk, "ranked", +this.ranked, 0, +copies);
    if (this.#layout === PACKED) within(chunk, "last_label", this.colors - 1, 0, 15);
    if (this.#shaped || copies) {
      const [, , right, lower] = this.#tileBox(0);
      const field = "tile sides with copy or shapes";
      within(chunk, field, Math.max(right, lower), 1, MAX_SIDE_OF_TILES);
    }
  }

  async #readCodebook() {
    const { type, length } = await this.#chunkHead();
    const { colors, channels } = this;
    const size = colors * channels;
    if (type === "PCOD") {
      if (this.version === 1) this.#unknown(type);
      const planes = await inflateTo(
        await this.#chunkBody(type, length),
        size,
        type,
        "inflated size",
      );
      this.codebook = unpackCodebook(planes, channels);
      return;
    }
    if (type !== "CODE") {
      this.#refuseUnknown(type);
      misplaced("CODE", type);
    }
    within(type, "length", length, size);
    this.codebook = (await this.#chunkBody(type, length)).slice();
  }

  /** @param {string} type @returns {never} */
  #unknown(type) {
    return fail("unsupported", "file", "critical chunk", "a known one", type);
  }

  /** @param {string} type */
  #refuseUnknown(type) {
    if (this.version > 1 && type < "a" && !CRITICAL.includes(type)) this.#unknown(type);
  }

  async #readPrologue() {
    const payloads = this.#payloads;
    const ranked = this.#predicted;
    const tiles = this.columns * this.rows;
    let total = 0;
    for (let count = 0; ; count++) {
      const start = this.#position;
      const { type, length } = await this.#chunkHead();
      if (type === "LABL") {
        this.chunks.pop();
        this.#labelsAt = start;
        break;
      }
      within("file", "chunks before LABL", count, 0, 1023);
      if (type in payloads) within(type, "count", 2, 1);
      if (type < "a" && !(this.version > 1 ? CRITICAL : CRITICAL_1).includes(type)) {
        this.#unknown(type);
      }
      if (type === "RANK") {
        within(type, "count", 1, 0, +ranked);
        within(type, "length", length, MIN_STREAM, 512 * this.colors + 1024);
      } else if (type === "SHAP") {
        within(type, "count", 1, 0, +this.#shaped);
      } else if (type === "tidx") {
        within(type, "length", length, 4 * tiles);
      } else if (type < "a") {
        if (type !== "ANIM") misplaced("LABL", type);
      } else {
        within(type, "length", length, KEPT.indexOf(type) > 3 ? 1 : 0, 16 * MIB);
        within(type, "length of all metadata", (total += length), 0, 64 * MIB);
      }
      if (type === "over" || type === "oidx") {
        // The image is read without overviews, even if they are damaged (R6.8-10).
        await this.#need(length + 4, type, "payload");
        if (type === "oidx") {
          const data = await this.#source.read(this.#position - 4, length + 8);
          const crc = crc32(data.subarray(0, length + 4));
          if (crc !== u32(data, length + 4)) this.chunks.pop();
        }
        this.#position += length + 4;
        continue;
      }
      const payload = await this.#chunkBody(type, length);
      if (KEPT.includes(type)) payloads[type] = payload;
    }
    if (this.version === 1 && ranked && !payloads.RANK) within("RANK", "count", 0, 1);
    if (this.#shaped && !payloads.SHAP) within("SHAP", "count", 0, 1);
    if (payloads.ANIM) await this.#readAnimation(payloads.ANIM);
    this.#readMetadata();
    await this.#checkRoom();
  }

  /** Whether labels are ranked by the one to the left, or above. */
  get #predicted() {
    return this.#layout === 1 || this.#layout === 2;
  }

  /** How many labels of a column a byte of a stream holds. */
  get #share() {
    const { colors } = this;
    if (this.#layout === COPY) return 4;
    if (this.#layout !== PACKED) return 1;
    return colors < 2 ? 64 : colors < 3 ? 8 : colors < 5 ? 4 : 2;
  }

  /** Section 9.3: no more is allocated than the bytes left can bear out. */
  async #checkRoom() {
    const tiles = this.columns * this.rows;
    const stored = Math.ceil((this.width * this.height) / this.#share);
    const least = FRAME * tiles + Math.max(MIN_STREAM * tiles, Math.ceil(stored / MAX_RATIO));
    await this.#need(least, "LABL", "count", this.#labelsAt);
  }

  #readMetadata() {
    const { iccp, exif, "xmp ": xmp, phys, text } = this.#payloads;
    if (iccp) this.metadata.iccProfile = iccp;
    if (exif) this.metadata.exif = exif;
    if (xmp) this.metadata.xmp = xmp;
    if (phys) {
      within("phys", "length", phys.length, 12);
      const [x, y, unit] = ["x_pixels", "y_pixels", "unit_micrometres"].map((name, i) => {
        const value = u32(phys, 4 * i);
        within("phys", name, value, 1, Infinity);
        return value;
      });
      this.metadata.dpi = [(x * 25400) / unit, (y * 25400) / unit];
    }
    if (text) {
      const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
      try {
        this.metadata.comment = decoder.decode(text);
      } catch {
        // It has no comment.
      }
      if (!this.metadata.comment || text.includes(0)) {
        wrong("text", "payload", "UTF-8 without NUL", "others");
      }
    }
  }

  /** @param {number} number @returns {Box} */
  #tileBox(number) {
    const left = (number % this.columns) * this.tileWidth;
    const upper = Math.floor(number / this.columns) * this.tileHeight;
    return [
      left,
      upper,
      Math.min(left + this.tileWidth, this.width),
      Math.min(upper + this.tileHeight, this.height),
    ];
  }

  /** @param {number} number */
  async #tileHead(number) {
    const { type, length } = await this.#chunkHead();
    if (type !== "LABL") {
      this.#refuseMisplaced(type);
      misplaced(`LABL of tile ${number}`, type);
    }
    const index = this.#payloads.tidx;
    if (index) within("tidx", `lengths[${number}]`, u32(index, 4 * number), length);
    return length;
  }

  /** @param {string} type */
  #refuseMisplaced(type) {
    this.#refuseUnknown(type);
    if (this.version > 1 && ["SHAP", "ANIM"].includes(type)) within(type, "count", 1, 0);
  }

  /** Go to the chunk of a tile, from that of another before it. @param {number} from @param {number} to */
  async #seek(from, to) {
    const index = this.#payloads.tidx;
    for (let number = from; number < to; number++) {
      if (index) {
        this.#position += u32(index, 4 * number) + FRAME;
        continue;
      }
      const length = await this.#tileHead(number);
      await this.#need(length + 4, "LABL", "payload");
      this.#position += length + 4;
    }
    await this.#need(0, "tidx", "lengths");
  }

  /**
   * Decode the labels of a tile, and return its placements.
   *
   * @param {Uint8Array} payload
   * @param {number} number
   * @param {KqfImage | null} image gets the labels; null for placements alone
   * @param {Box} box of the region
   * @param {Uint8Array[]} spares memory of an earlier tile
   */
  async #decodeTile(payload, number, image, box, spares) {
    const { codebook, channels } = this;
    const { RANK, SHAP } = this.#payloads;
    const ranked = this.ranked || this.#predicted;
    const order = ranked ? await (this.#order ??= rankLabels(codebook, channels, RANK)) : null;
    const pixels = this.width * this.height;
    const shapes = SHAP ? await (this.#shapes ??= readShapes(SHAP, this.colors - 1, pixels)) : null;
    let at = 0;
    const readNumber = () => {
      within("LABL", `length of tile ${number}`, payload.length, (at += 4), Infinity);
      return u32(payload, at - 4);
    };
    /** @param {string} field */
    const readPart = (field) => {
      const length = readNumber();
      within("LABL", `${field} of tile ${number}`, length, 0, payload.length - at);
      at += length;
      return payload.subarray(at - length, at);
    };
    /** @type {Placement[]} */
    let placements = [];
    if (shapes) {
      const count = readNumber();
      const field = `placements of tile ${number}`;
      const most = Math.floor(pixels / 4);
      if (count) {
        const stream = readPart("placements_length");
        within("LABL", `number of ${field}`, count, 0, most);
        const planes = await inflateTo(stream, 6 * count, "LABL", `inflated size of ${field}`);
        const box = this.#tileBox(number);
        const name = `tile ${number}`;
        placements = readPlacements(planes, shapes, box, this.width, this.height, "LABL", name);
      }
    }
    if (!image) return placements;
    const [left, upper, right, lower] = this.#tileBox(number);
    const [width, height] = [right - left, lower - upper];
    const [w, h] = this.columnsFirst ? [height, width] : [width, height];
    const size = Math.ceil(h / this.#share) * w;
    const lastLabel = this.colors - 1;
    // New memory takes time: the system clears each page of it when it is first used.
    const spare = spares[0]?.length === w * h ? spares.pop() : undefined;
    /** @type {Uint8Array} */
    let tile;
    if (this.#layout === COPY) {
      const stream = readPart("codes_length");
      const codes = await inflateTo(stream, size, "LABL", `bytes of codes of tile ${number}`);
      checkPadding(codes, w, 2 * (h % 4), `codes beyond tile ${number}`);
      const rest = payload.subarray(at);
      const most = Math.min(w * h, rest.length * MAX_RATIO);
      if (most) checkRatio(rest.length, 0, "LABL");
      const symbols = most ? await inflate(rest, most, "LABL") : rest;
      await checkLabels(symbols, lastLabel, "LABL", `new label in tile ${number}`);
      tile = spare ?? new Uint8Array(w * h);
      const used = copied(codes, symbols, w, tile, order);
      if (used !== symbols.length || (most && !used))
        wrong("LABL", `new labels of tile ${number}`, used, symbols.length);
    } else {
      const share = this.#share;
      tile = await inflateTo(
        payload.subarray(at),
        size,
        "LABL",
        `inflated size of tile ${number}`,
        share < 2 ? spare : undefined,
      );
      if (this.#layout === PACKED) {
        // Where all labels are 0, so are all bytes.
        if (share < 64) {
          checkPadding(tile, w, ((h % share) * 8) / share, `labels beyond tile ${number}`);
          tile = unpack(tile, w, h, share);
        }
        await checkLabels(tile, lastLabel, "LABL", `label in tile ${number}`);
        if (share === 64) tile = new Uint8Array(w * h);
      } else {
        await checkLabels(tile, lastLabel, "LABL", `symbol in tile ${number}`);
        if (order) await unrank(tile, w, order, this.#layout === 2);
      }
    }
    if (this.columnsFirst) {
      const turned = new Uint8Array(w * h);
      // Blocks of some columns stay in the cache.
      for (let first = 0; first < width; first += 64) {
        for (let y = 0; y < height; y++) {
          const end = Math.min(first + 64, width);
          for (let x = first; x < end; x++) turned[y * width + x] = tile[x * height + y];
        }
      }
      tile = turned;
    }
    this.#place(tile, number, image, box);
    if (tile !== image.labels) spares[0] = tile;
    return placements;
  }

  /**
   * Give an image the part of a tile that lies in a region.
   *
   * @param {Uint8Array} tile
   * @param {number} number
   * @param {KqfImage} image
   * @param {Box} box of the region
   */
  #place(tile, number, image, box) {
    const [left, upper, right, lower] = this.#tileBox(number);
    const [boxLeft, boxUpper, boxRight, boxLower] = box;
    if (String(box) === String([left, upper, right, lower])) {
      image.labels = tile;
      return;
    }
    if (!image.labels.length) image.labels = new Uint8Array(image.width * image.height);
    const width = right - left;
    const from = Math.max(left, boxLeft);
    const to = Math.min(right, boxRight);
    for (let y = Math.max(upper, boxUpper); y < Math.min(lower, boxLower); y++) {
      const row = (y - upper) * width - left;
      const into = (y - boxUpper) * image.width - boxLeft;
      image.labels.set(tile.subarray(row + from, row + to), into + from);
    }
  }

  /**
   * Paint placements over the labels of a region, and check that none paints a pixel twice.
   *
   * @param {Uint8Array} target
   * @param {Box} box
   * @param {Shape[]} shapes
   * @param {Placement[]} placements
   */
  #paint(target, [left, upper, right, lower], shapes, placements) {
    const width = right - left;
    const height = lower - upper;
    const most = (width + 2 * (REACH + 1)) * (height + 2 * (REACH + 1));
    const painted = new Uint32Array((target.length + 31) >> 5);
    let total = 0;
    for (const { x: column, y: row, shape } of placements) {
      const { width: w, height: h, offsets, labels } = shapes[shape];
      const x = column - left;
      const y = row - upper;
      if (x >= width || y >= height || x + w <= 0 || y + h <= 0) continue;
      total += labels.length;
      within("LABL", "pixels painted", total, 0, most);
      for (let k = 0; k < labels.length; k++) {
        const across = x + (offsets[k] >> 8);
        const down = y + (offsets[k] & 255);
        if (across < 0 || down < 0 || across >= width || down >= height) continue;
        const pixel = down * width + across;
        const bit = 1 << (pixel & 31);
        if (painted[pixel >> 5] & bit) wrong("LABL", "pixels painted", "once", "twice");
        painted[pixel >> 5] |= bit;
        target[pixel] = labels[k];
      }
    }
  }

  /**
   * Read the image, or a region of it. Several readings of one file follow one another.
   *
   * @param {ReadOptions} [options]
   * @returns {Promise<KqfImage>}
   */
  read(options = {}) {
    const result = this.#last.then(() => this.#read(options));
    this.#last = result.catch(() => {});
    return result;
  }

  /** @type {Promise<unknown>} */ #last = Promise.resolve();

  /** @param {ReadOptions} options */
  async #read({ region, maxPixels = MAX_PIXELS, signal, onRows }) {
    this.#signal = signal;
    const box = /** @type {Box} */ ([...(region ?? [0, 0, this.width, this.height])]);
    const [left, upper, right, lower] = box;
    if (
      box.length !== 4 ||
      !box.every(Number.isInteger) ||
      !(
        0 <= left &&
        left < right &&
        right <= this.width &&
        0 <= upper &&
        upper < lower &&
        lower <= this.height
      )
    ) {
      throw new RangeError(
        `region: expected a part of ${this.width} x ${this.height} pixels, found ${box}`,
      );
    }
    const { tileWidth, tileHeight, columns } = this;
    const column = Math.floor(left / tileWidth);
    const row = Math.floor(upper / tileHeight);
    const lastColumn = Math.floor((right - 1) / tileWidth);
    const lastRow = Math.floor((lower - 1) / tileHeight);
    const [firstLeft, firstUpper] = this.#tileBox(row * columns + column);
    const [, , lastRight, lastLower] = this.#tileBox(lastRow * columns + lastColumn);
    const pixels = (lastRight - firstLeft) * (lastLower - firstUpper);
    within("file", "pixels of the tiles to read", pixels, 1, maxPixels, "limit");
    const { codebook, channels, metadata } = this;
    const { SHAP } = this.#payloads;
    const reach = SHAP ? REACH : 0;
    const firstColumn = Math.floor(Math.max(left - reach, 0) / tileWidth);
    const firstRow = Math.floor(Math.max(upper - reach, 0) / tileHeight);
    const [width, height] = [right - left, lower - upper];
    const none = new Uint8Array(0);
    const image = new KqfImage(width, height, none, codebook, channels, metadata);
    /** @type {Placement[]} */
    const placements = [];
    /** @type {Promise<unknown>} */
    let done = Promise.resolve();
    let ahead = 0;
    /** @type {Uint8Array[]} */
    const spares = [];
    let next = 0;
    /** @param {number} number */
    const readTile = async (number) => this.#chunkBody("LABL", await this.#tileHead(number));
    /** @param {Box} box of a tile */
    const tellRows = ([, first, , last]) =>
      onRows?.(image, Math.max(first, upper) - upper, Math.min(last, lower) - upper);
    this.#position = this.#labelsAt;
    // All of a file of one tile is waited for, so that another thread may decode it.
    if (columns * this.rows < 2) {
      await this.#source.left(this.#position, (await this.#tileHead(0)) + 2 * FRAME + 1);
    }
    const { data, size } = this.#source;
    /** Where the tiles end, once two threads have decoded them. @type {number | undefined} */
    let end;
    if (pixels > LARGE_PIXELS && data.length === size && this.frames < 2) {
      if (!parallel) {
        parallel = {};
        import("./parallel.js").then(
          (found) => {
            parallel = found;
          },
          () => {},
        );
      }
      /** @param {number} number @param {number} start */
      const decode = async (number, start) => {
        signal?.throwIfAborted();
        this.#position = start;
        const payload = await readTile(number);
        await this.#decodeTile(payload, number, image, box, spares);
      };
      /** @param {Uint8Array} labels @param {number} number */
      const place = (labels, number) => this.#place(labels, number, image, box);
      signal?.throwIfAborted();
      end = await parallel.share?.(this, data, this.#labelsAt, box, decode, place, tellRows);
    }
    this.#position = end || this.#labelsAt;
    for (let y = firstRow; y <= lastRow && !end; y++) {
      for (let x = firstColumn; x <= lastColumn; x++) {
        signal?.throwIfAborted();
        const number = y * columns + x;
        await this.#seek(next, number);
        next = number + 1;
        const payload = await readTile(number);
        const wanted = x >= column && y >= row ? image : null;
        const result = this.#decodeTile(payload, number, wanted, box, spares);
        done = Promise.all([result, done]).then(([found]) => {
          for (const placement of found) placements.push(placement);
          if (x === lastColumn && !SHAP) tellRows(this.#tileBox(number));
        });
        done.catch(() => {});
        ahead += tileWidth * tileHeight + AHEAD_PIXELS / 16;
        if (ahead > AHEAD_PIXELS) {
          await done;
          ahead = 0;
        }
      }
    }
    await done;
    const whole = image.labels.length === this.width * this.height;
    const shapes = await this.#shapes;
    if (shapes && !end) {
      if (whole) {
        const used = new Set(placements.map(({ shape }) => shape));
        const unused = shapes.findIndex((_, i) => !used.has(i));
        if (unused >= 0) wrong("SHAP", `placements of shape ${unused}`, "some", "none");
      }
      this.#paint(image.labels, box, shapes, placements);
      onRows?.(image, 0, height);
    }
    if (whole && this.frames === 1) await this.#finish(await this.#chunkHead());
    return image;
  }

  // Animations (sections 5.10 and 5.11).

  /** @param {Uint8Array} data of ANIM */
  async #readAnimation(data) {
    within("ANIM", "length", data.length, 12, Infinity);
    const frames = u32(data, 0);
    const ticks = u32(data, 8);
    within("ANIM", "frames", frames, 2, 2 ** 24);
    within("ANIM", "ticks_per_second", ticks, 1, 1e6);
    const stream = data.subarray(12);
    const planes = await inflateTo(stream, 4 * frames, "ANIM", "inflated size of durations");
    let total = 0;
    for (let i = 0; i < frames; i++) {
      let duration = 0;
      for (let plane = 4; plane--; ) duration = duration * 256 + planes[plane * frames + i];
      total += duration;
      this.durations.push((duration * 1000) / ticks);
    }
    within("ANIM", "sum of durations", total, 0, Number.MAX_SAFE_INTEGER);
    this.frames = frames;
    this.loop = u32(data, 4);
  }

  /**
   * Read a frame. Frames that follow one another are decoded in one go.
   *
   * @param {number} number from 0
   * @param {FrameOptions} [options]
   * @returns {Promise<KqfImage>}
   */
  frame(number, options = {}) {
    const result = this.#last.then(() => this.#frame(number, options));
    this.#last = result.catch(() => {});
    return result;
  }

  /** @type {AsyncGenerator<KqfImage> | undefined} */ #player;
  #shown = -1;
  #next = 0;

  /**
   * Return the number of the last whole frame up to one and where its group begins, by fidx.
   *
   * @param {number} number
   * @returns {Promise<[frame: number, offset: number]>}
   */
  async #wholeFrame(number) {
    if (!number || this.size === Infinity) return [0, 0];
    this.#whole ??= await this.#readFrameIndex().catch(() => []);
    return this.#whole.filter(([frame]) => frame <= number).pop() ?? [0, 0];
  }

  /** What fidx says. @type {[frame: number, offset: number][] | undefined} */ #whole;

  async #readFrameIndex() {
    // The last number in fidx is its length. What looks like an index need not be one.
    const end = this.size - 2 * FRAME;
    const length = u32(await this.#source.read(end + 4, 4, this.#signal), 0);
    this.#position = Math.max(end - length, this.#labelsAt);
    const head = await this.#chunkHead();
    return head.type === "fidx" ? frameIndex(await this.#chunkBody("fidx", head.length)) : [];
  }

  /** @param {number} number @param {FrameOptions} options */
  async #frame(number, options) {
    if (!(Number.isInteger(number) && number >= 0 && number < this.frames)) {
      throw new RangeError(`frame: expected 0 to ${this.frames - 1}, found ${number}`);
    }
    this.#signal = options.signal;
    const goesOn = this.#player && number > this.#shown;
    const [from, at] =
      goesOn && number === this.#shown + 1 ? [0, 0] : await this.#wholeFrame(number);
    if (!goesOn || from > this.#shown + 1) {
      this.#player = this.#play(options, from);
      this.#shown = from - 1;
      this.#next = at;
    }
    const player = /** @type {AsyncGenerator<KqfImage>} */ (this.#player);
    // The place in the file is that of the images that are read in between, too.
    this.#position = this.#next;
    try {
      for (;;) {
        options.signal?.throwIfAborted();
        const { value } = await player.next();
        this.#shown++;
        this.#next = this.#position;
        if (this.#shown === number) return value;
      }
    } catch (error) {
      this.#player = undefined;
      throw error;
    }
  }

  /**
   * Decode all frames for their errors alone.
   *
   * @param {FrameOptions} [options]
   */
  async check(options = {}) {
    await this.frame(0, options);
    this.#player = undefined;
    for (let number = 0; number < this.frames; number++) await this.frame(number, options);
  }

  /**
   * Decode one frame after the other, from a whole one on.
   *
   * @param {FrameOptions} options
   * @param {number} from its number
   * @returns {AsyncGenerator<KqfImage>}
   */
  async *#play({ maxPixels = MAX_PIXELS, maxWork = 64 * MAX_PIXELS, signal }, from) {
    const { width, height, channels, metadata } = this;
    let work = 0;
    const count = (/** @type {number} */ more) => {
      work += more;
      within("file", "pixels of all frames", work, 0, maxWork, "limit");
    };
    const region = [0, 0, width, height];
    const none = new Uint8Array(0);
    let image = new KqfImage(width, height, none, none, channels, metadata);
    if (!from) {
      count(width * height);
      image = await this.#read({ region, maxPixels, signal });
    }
    if (this.frames === 1) {
      yield image;
      return;
    }
    let { labels, codebook } = image;
    let shapes = (await this.#shapes) ?? null;
    /** @type {Uint8Array | undefined} */
    let ranking;
    /** @type {Uint8Array | null} */
    let order = null;
    /** @type {Uint32Array | null} */
    let pixels = null;
    /** @type {Uint8Array | null} */
    let stale = null;
    let nearest = (/** @type {number} */ _) => 0;
    const show = () =>
      new KqfImage(width, height, labels.slice(), codebook, channels, metadata, pixels?.slice());
    /** @type {[number, number][]} */
    const whole = (this.#whole ?? []).filter(([frame]) => frame < from);
    let last = from && from - 1;
    for (;;) {
      // Chunks of a group up to its FRAM.
      const offset = this.#position;
      /** @type {Record<string, Uint8Array>} */
      const found = {};
      let head = await this.#chunkHead();
      if (head.type === "fidx" || head.type === "DONE") {
        within("file", "frames", last + 1, this.frames);
        // The last frame is shown only if the file ends as it should.
        if (head.type === "fidx") {
          const listed = frameIndex(await this.#chunkBody("fidx", head.length));
          if (String(listed) !== String(whole)) wrong("fidx", "whole frames", whole, listed);
          head = await this.#chunkHead();
        }
        await this.#finish(head);
        yield show();
        return;
      }
      for (let at = 0; ; head = await this.#chunkHead()) {
        const { type, length } = head;
        this.#refuseUnknown(type);
        const place = GROUP.indexOf(type, at);
        if (place < 0 || (type === "PCOD" && found.CODE)) {
          misplaced("a group, fidx or DONE", type);
        }
        at = place + 1;
        if (type === "RANK") within(type, "length", length, MIN_STREAM, 512 * 256 + 1024);
        if (place < 2) within(type, "length", length, 0, 2048);
        found[type] = await this.#chunkBody(type, length);
        if (type === "FRAM") break;
      }
      const { FRAM: data, CODE, PCOD, RANK, SHAP } = found;
      const given = PCOD ? await inflate(PCOD, 256 * channels, "PCOD") : CODE;
      let ours = codebook;
      if (given) {
        const colors = given.length / channels;
        if (colors % 1 || colors < 1 || colors > 256) {
          const expected = `1 to 256 entries of ${channels} bytes`;
          wrong(PCOD ? "PCOD" : "CODE", "length", expected, given.length);
        }
        ours = PCOD ? unpackCodebook(given, channels) : given.slice();
      }
      const lastLabel = ours.length / channels - 1;
      const changes = await readChanges(data, width, height, lastLabel);
      const first = u32(data, 0);
      if (first !== last + 1 && !(given && changes && first === last)) {
        wrong("FRAM", "first_frame", last + 1, first);
      }
      const end = first + (changes ? changes.frames.length : 1) - 1;
      within("FRAM", "last frame", end, 0, this.frames - 1);
      if (!labels.length) within("fidx", "whole frames", +!changes, 1);
      else if (first !== last) yield show();
      last = end;
      if (!changes) {
        if (!given) wrong("FRAM", "codebook of a whole frame", "one", "none");
        const other = new KqfFile(this.#source);
        const { tileWidth, tileHeight, frames } = this;
        const sides = { width, height, tileWidth, tileHeight };
        const colors = { channels, colors: lastLabel + 1, codebook: ours };
        Object.assign(other, { version: 2, frames, metadata }, sides, colors);
        other.#readLayout(data[5], "FRAM");
        if (RANK && !other.#predicted) within("RANK", "count", 1, 0);
        within("SHAP", "count", SHAP ? 1 : 0, +other.#shaped);
        Object.assign(other.#payloads, RANK && { RANK }, SHAP && { SHAP });
        other.#labelsAt = this.#position;
        await other.#checkRoom();
        count(width * height);
        image = await other.#read({ region, maxPixels, signal });
        this.#position = other.#position;
        ({ labels, codebook } = image);
        shapes = (await other.#shapes) ?? null;
        ranking = undefined;
        order = pixels = stale = null;
        whole.push([first, offset]);
        continue;
      }
      if (RANK) within("RANK", "count", 1, 0, +changes.ranked);
      if (given) {
        count(width * height);
        if (!pixels) pixels = new Uint32Array(image.rgba().buffer);
        codebook = ours;
        labels = labels.slice();
        stale = new Uint8Array(labels.length).fill(1);
        nearest = nearestEntry(codebook, channels);
        shapes = ranking = order = /** @type {any} */ (null);
      }
      if (RANK) {
        ranking = RANK;
        order = null;
      }
      if (SHAP) {
        const known = (shapes ?? []).reduce((sum, { height, width }) => sum + height * width, 0);
        const more = await readShapes(SHAP, lastLabel, width * height + MIB - known);
        shapes = [...(shapes ?? []), ...more];
        within("SHAP", "shapes in force", shapes.length, 1, 65536);
      }
      if (changes.ranked) order ??= await rankLabels(codebook, channels, ranking);
      count(changes.work);
      image = new KqfImage(width, height, labels, codebook, channels, metadata, pixels);
      const target = {
        labels,
        pixels,
        stale,
        nearest,
        colors: new Uint32Array(image.palette().buffer),
      };
      let number = first;
      let at = 0;
      for (const { map, placements } of changes.frames) {
        signal?.throwIfAborted();
        if (map)
          at = paintBlocks(map, changes, at, changes.ranked ? order : null, target, width, height);
        if (placements.length) {
          count(paintFrame(placements, shapes, target, width, height, number));
        }
        if (number++ < end) yield show();
      }
    }
  }

  /** @param {{type: string, length: number}} head of the last chunk */
  async #finish({ type, length }) {
    if (type !== "DONE") {
      this.#refuseMisplaced(type);
      misplaced("DONE", type);
    }
    within(type, "length", length, 0);
    await this.#chunkBody(type, length);
    if (await this.#source.left(this.#position, 1)) wrong("file", "end", "its end", "more");
  }
}

/**
 * Open a file, and read what stands before its tiles. Of an address whose server knows ranges, and
 * of a Blob, only what is needed is read; a Response is read as it arrives.
 *
 * @param {string | URL | Response | Blob | ArrayBuffer | ArrayBufferView} source
 * @param {RequestInit} [init] for fetching an address
 */
export async function open(source, init = {}) {
  if (typeof source === "string" || source instanceof URL)
    return KqfFile.open(await urlSource(source, init));
  if (source instanceof Response) return KqfFile.open(streamSource(source));
  if (source instanceof Blob) {
    const read = async (/** @type {number} */ start, /** @type {number} */ end) =>
      bytesOf(source.slice(start, end));
    return KqfFile.open(new Source(source.size, undefined, read));
  }
  const data = ArrayBuffer.isView(source)
    ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
    : new Uint8Array(source);
  return KqfFile.open(new Source(data.length, data));
}

/**
 * Show the frames of an animation, each at its time, until it has been played as often as the file
 * says, or is stopped. A frame without duration is shown for a tenth of a second, as browsers do.
 *
 * @param {KqfFile} file
 * @param {(image: KqfImage, number: number) => void} show
 * @param {object} [options]
 * @param {AbortSignal} [options.signal] stops it
 * @param {number} [options.from] number of the first frame to show
 * @param {() => number} [options.speed] 2 for twice as fast
 */
export async function play(file, show, { signal, from = 0, speed = () => 1 } = {}) {
  let due = performance.now();
  for (let round = 0; !file.loop || round < file.loop; round++) {
    for (let i = round ? 0 : from; i < file.frames; i++) {
      const image = await file.frame(i);
      const wait = due - performance.now();
      await new Promise((done) => setTimeout(done, Math.min(wait, 2 ** 31 - 1)));
      if (signal?.aborted) return;
      show(image, i);
      // What comes too late does not hurry what follows.
      due = Math.max(due, performance.now() - 50) + (file.durations[i] || 100) / speed();
    }
  }
}

/**
 * Decode a file in memory.
 *
 * @param {ArrayBuffer | ArrayBufferView} bytes
 * @param {ReadOptions} [options]
 */
export async function decode(bytes, options) {
  return (await open(bytes)).read(options);
}
