// @ts-check
/**
 * A decoder of KQF images, versions 1 and 2, for browsers and Node 18 and later.
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
const METADATA = ["iccp", "exif", "xmp ", "phys", "text"];
const CRITICAL = ["HEAD", "CODE", "PCOD", "RANK", "SHAP", "ANIM", "LABL", "FRAM", "DONE"];
// What a group of frames may hold, in this order.
const GROUP = ["CODE", "PCOD", "RANK", "SHAP", "FRAM"];
const MAX_SIDE_OF_TILES = 65281;
// A placed shape reaches at most this far to the right of and below its upper left pixel.
const REACH = 254;
// Streams of fewer bytes are inflated faster here than by a DecompressionStream.
const SMALL_STREAM = 16384;
// Bytes handed to a DecompressionStream at once: it may inflate all of them before it is stopped.
const SLICE = 65536;
// Tiles are inflated side by side as long as they have no more pixels than this together.
const AHEAD_PIXELS = 2 ** 22;
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
 * @property {number} area
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

// Checksums.

const CRC = new Int32Array(1024);
for (let n = 0; n < 256; n++) {
  let c = n;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  CRC[n] = c;
}
for (let n = 256; n < 1024; n++) CRC[n] = (CRC[n - 256] >>> 8) ^ CRC[CRC[n - 256] & 255];

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

/** @param {Uint8Array} data */
function adler32(data) {
  let a = 1;
  let b = 0;
  for (let i = 0; i < data.length; ) {
    // So many bytes cannot overflow 32 bits.
    const end = Math.min(i + 3800, data.length);
    for (; i < end; i++) b += a += data[i];
    a %= 65521;
    b %= 65521;
  }
  return ((b << 16) | a) >>> 0;
}

/** @param {Uint8Array} data @param {number} at */
function u32(data, at) {
  return ((data[at] << 24) | (data[at + 1] << 16) | (data[at + 2] << 8) | data[at + 3]) >>> 0;
}

// Inflating (section 8).

/** @param {number} i @param {number} shift 2 for lengths, 1 for distances */
const extraBits = (i, shift) => Math.max(0, (i >> shift) - 1);
const LENGTHS = [3];
for (let i = 1; i < 28; i++) LENGTHS.push(LENGTHS[i - 1] + (1 << extraBits(i - 1, 2)));
LENGTHS.push(258);
const DISTANCES = [1];
for (let i = 1; i < 30; i++) DISTANCES.push(DISTANCES[i - 1] + (1 << extraBits(i - 1, 1)));
const CODE_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/**
 * Return the table of a Huffman code by the next bits of the stream, symbol * 16 + length.
 *
 * @param {Uint8Array} lengths of the codes, by symbol
 * @param {boolean} single whether one code of one bit alone is allowed
 * @returns {Uint16Array | null} null if it is no complete prefix code
 */
function huffman(lengths, single) {
  const counts = new Uint16Array(16);
  for (const length of lengths) counts[length]++;
  counts[0] = 0;
  const next = new Uint16Array(16);
  let most = 0;
  let left = 1;
  for (let bits = 1; bits < 16; bits++) {
    next[bits] = (next[bits - 1] + counts[bits - 1]) << 1;
    if (counts[bits]) most = bits;
    left = 2 * left - counts[bits];
    if (left < 0) return null;
  }
  if (left && !(single && most < 2)) return null;
  const table = new Uint16Array(1 << Math.max(most, 1));
  for (let symbol = 0; symbol < lengths.length; symbol++) {
    const length = lengths[symbol];
    if (!length) continue;
    let reversed = 0;
    for (let bit = 0, value = next[length]++; bit < length; bit++, value >>= 1) {
      reversed = (reversed << 1) | (value & 1);
    }
    for (let i = reversed; i < table.length; i += 1 << length) table[i] = (symbol << 4) | length;
  }
  return table;
}

/** @type {[Uint16Array, Uint16Array] | undefined} */
let fixedTables;

function fixedCodes() {
  if (!fixedTables) {
    const lengths = new Uint8Array(288).fill(8).fill(9, 144, 256).fill(7, 256, 280);
    const distances = new Uint8Array(32).fill(5);
    fixedTables = /** @type {[Uint16Array, Uint16Array]} */ ([
      huffman(lengths, false),
      huffman(distances, true),
    ]);
  }
  return fixedTables;
}

/**
 * Inflate one whole zlib stream here, and tell exactly what is wrong with it if something is.
 *
 * @param {Uint8Array} data
 * @param {number} size bytes that it may inflate to
 * @param {string} chunk for messages
 */
function inflateHere(data, size, chunk) {
  const out = new Uint8Array(size);
  let n = 0;
  let at = 2;
  let hold = 0;
  let bits = 0;
  const invalid = () => fail("wrong", chunk, "zlib stream", "valid deflate data", "invalid data");
  const cut = () =>
    fail("truncated", chunk, "zlib stream", "a whole stream", `${data.length} bytes of one`);
  const over = () => fail("wrong", chunk, "inflated size", `at most ${size} bytes`, "more");
  /** @param {number} count at most 16 */
  const take = (count) => {
    while (bits < count) {
      if (at >= data.length) cut();
      hold |= data[at++] << bits;
      bits += 8;
    }
    const value = hold & ((1 << count) - 1);
    hold >>>= count;
    bits -= count;
    return value;
  };
  /** @param {Uint16Array} table */
  const decode = (table) => {
    while (bits < 15 && at < data.length) {
      hold |= data[at++] << bits;
      bits += 8;
    }
    const entry = table[hold & (table.length - 1)];
    const length = entry & 15;
    if (!length && bits) invalid();
    if (length > bits || !bits) cut();
    hold >>>= length;
    bits -= length;
    return entry >> 4;
  };
  for (let last = 0; !last; ) {
    last = take(1);
    const type = take(2);
    if (type === 3) invalid();
    if (!type) {
      // What has been read ahead is given back, from the next whole byte on.
      at -= bits >> 3;
      hold = bits = 0;
      const length = take(16);
      if ((take(16) ^ length) !== 0xffff) invalid();
      const there = Math.min(length, data.length - at);
      if (n + there > size) over();
      out.set(data.subarray(at, at + there), n);
      n += there;
      at += there;
      if (there < length) cut();
      continue;
    }
    let [symbols, distances] = fixedCodes();
    if (type === 2) {
      const count = take(5) + 257;
      const distanceCount = take(5) + 1;
      const codes = take(4) + 4;
      if (count > 286 || distanceCount > 30) invalid();
      const short = new Uint8Array(19);
      for (let i = 0; i < codes; i++) short[CODE_ORDER[i]] = take(3);
      const table = huffman(short, false) ?? invalid();
      const lengths = new Uint8Array(count + distanceCount);
      for (let i = 0; i < lengths.length; ) {
        const symbol = decode(table);
        if (symbol < 16) {
          lengths[i++] = symbol;
          continue;
        }
        if (symbol === 16 && !i) invalid();
        const value = symbol === 16 ? lengths[i - 1] : 0;
        const repeat = symbol === 16 ? 3 + take(2) : symbol === 17 ? 3 + take(3) : 11 + take(7);
        if (i + repeat > lengths.length) invalid();
        lengths.fill(value, i, (i += repeat));
      }
      if (!lengths[256]) invalid();
      symbols = huffman(lengths.subarray(0, count), true) ?? invalid();
      distances = huffman(lengths.subarray(count), true) ?? invalid();
    }
    for (;;) {
      const symbol = decode(symbols);
      if (symbol < 256) {
        if (n === size) over();
        out[n++] = symbol;
        continue;
      }
      if (symbol === 256) break;
      if (symbol > 285) invalid();
      const i = symbol - 257;
      const length = LENGTHS[i] + take(i < 28 ? extraBits(i, 2) : 0);
      const code = decode(distances);
      if (code > 29) invalid();
      const distance = DISTANCES[code] + take(extraBits(code, 1));
      if (distance > n) invalid();
      if (n + length > size) over();
      if (distance === 1 && length > 32) out.fill(out[n - 1], n, (n += length));
      else for (const end = n + length; n < end; n++) out[n] = out[n - distance];
    }
  }
  at -= bits >> 3;
  if (at + 4 > data.length) cut();
  const found = out.subarray(0, n);
  if (u32(data, at) !== adler32(found)) {
    fail("wrong", chunk, "zlib stream", "the right Adler-32", "another");
  }
  if (at + 4 < data.length) {
    fail("wrong", chunk, "zlib stream", "nothing after it", `${data.length - at - 4} bytes more`);
  }
  return found;
}

/**
 * Inflate a zlib stream by what the platform has; null if that refuses it, or reads it otherwise.
 *
 * @param {Uint8Array} data
 * @param {number} size
 */
async function inflateNatively(data, size) {
  const stream = new DecompressionStream("deflate");
  const writer = stream.writable.getWriter();
  const reader = stream.readable.getReader();
  const feed = async () => {
    for (let at = 0; at < data.length; at += SLICE) {
      await writer.ready;
      // What is written is checked by what is read.
      writer
        .write(/** @type {Uint8Array<ArrayBuffer>} */ (data.subarray(at, at + SLICE)))
        .catch(() => {});
    }
    await writer.close();
  };
  feed().catch(() => {});
  const out = new Uint8Array(size);
  let n = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (n + value.length > size) {
        reader.cancel().catch(() => {});
        return null;
      }
      out.set(value, n);
      n += value.length;
    }
  } catch {
    return null;
  }
  return out.subarray(0, n);
}

// An empty stream and a byte more, which some platforms accept after the end of a stream.
const EMPTY_AND_MORE = Uint8Array.of(120, 156, 3, 0, 0, 0, 0, 1, 0);
/** @type {boolean | undefined} */
let lax;

/**
 * Inflate one whole zlib stream of at most `size` bytes.
 *
 * @param {Uint8Array} data at least MIN_STREAM bytes
 * @param {number} size
 * @param {string} chunk
 */
async function inflate(data, size, chunk) {
  if ((data[0] & 15) !== 8 || data[0] >> 4 > 7 || data[1] & 32 || (data[0] * 256 + data[1]) % 31) {
    fail("wrong", chunk, "zlib stream", "a zlib header", `${data[0]}, ${data[1]}`);
  }
  if (data.length > SMALL_STREAM && typeof DecompressionStream !== "undefined") {
    const found = await inflateNatively(data, size);
    lax ??= Boolean(await inflateNatively(EMPTY_AND_MORE, 0));
    if (found && !(lax && u32(data, data.length - 4) !== adler32(found))) return found;
  }
  return inflateHere(data, size, chunk);
}

/** @param {number} length of RANK @param {number} colors */
function checkRanking(length, colors) {
  const most = 512 * colors + 1024;
  if (length < MIN_STREAM || length > most) {
    fail("wrong", "RANK", "length", `${MIN_STREAM} to ${most}`, length);
  }
}

/** @param {number} length @param {number} size @param {string} chunk */
function checkRatio(length, size, chunk) {
  if (length < MIN_STREAM || length * MAX_RATIO < size) {
    const least = Math.max(MIN_STREAM, Math.ceil(size / MAX_RATIO));
    fail("wrong", chunk, "zlib stream", `at least ${least} bytes for ${size}`, length);
  }
}

/**
 * Inflate a stream to exactly `size` bytes.
 *
 * @param {Uint8Array} data
 * @param {number} size
 * @param {string} chunk
 * @param {string} field what is wrong if there are fewer
 */
async function inflateTo(data, size, chunk, field) {
  checkRatio(data.length, size, chunk);
  const found = await inflate(data, size, chunk);
  if (found.length !== size) fail("wrong", chunk, field, size, found.length);
  return found;
}

// Where bytes come from.

/** The bytes of a file, all of them or fetched range by range. */
class Source {
  /**
   * @param {number} size
   * @param {(start: number, end: number, signal?: AbortSignal) => Promise<Uint8Array>} fetch
   * @param {Uint8Array} data the first bytes
   */
  constructor(size, fetch, data) {
    this.size = size;
    this.fetch = fetch;
    this.data = data;
    this.start = 0;
  }

  /**
   * Return `count` bytes, which must be there.
   *
   * @param {number} at
   * @param {number} count
   * @param {AbortSignal} [signal]
   */
  async read(at, count, signal) {
    let from = at - this.start;
    if (from < 0 || from + count > this.data.length) {
      const end = Math.min(this.size, at + Math.max(count, FETCH));
      const data = await this.fetch(at, end, signal);
      if (data.length !== end - at) {
        throw new Error(
          `expected the bytes ${at} to ${end} of the file, found ${data.length} bytes`,
        );
      }
      this.data = data;
      this.start = at;
      from = 0;
      return data.subarray(0, count);
    }
    return this.data.subarray(from, from + count);
  }
}

/**
 * @param {string | URL} url
 * @param {RequestInit} init
 */
async function urlSource(url, init) {
  /** @param {number} start @param {number} end @param {AbortSignal} [signal] */
  const request = async (start, end, signal) => {
    const headers = new Headers(init.headers);
    headers.set("Range", `bytes=${start}-${end - 1}`);
    const response = await fetch(url, { ...init, headers, signal: signal ?? init.signal });
    if (!response.ok && response.status !== 416) {
      throw new Error(`${url}: ${response.status} ${response.statusText}`);
    }
    return response;
  };
  const first = await request(0, FETCH);
  const total = /\/(\d+)\s*$/.exec(first.headers.get("Content-Range") ?? "");
  if (first.status !== 206 || !total) {
    return bytesSource(
      first.status === 416 ? new Uint8Array(0) : new Uint8Array(await first.arrayBuffer()),
    );
  }
  const start = new Uint8Array(await first.arrayBuffer());
  return new Source(
    Number(total[1]),
    async (from, to, signal) => {
      const response = await request(from, to, signal);
      const range = /^bytes (\d+)-/.exec(response.headers.get("Content-Range") ?? "");
      if (response.status !== 206 || (range && Number(range[1]) !== from)) {
        throw new Error(
          `${url}: expected the bytes from ${from} on, found status ${response.status}`,
        );
      }
      return new Uint8Array(await response.arrayBuffer());
    },
    start,
  );
}

/** @param {Uint8Array} data */
function bytesSource(data) {
  return new Source(data.length, async (start, end) => data.subarray(start, end), data);
}

/** @param {Blob} blob */
function blobSource(blob) {
  const read = async (/** @type {number} */ start, /** @type {number} */ end) =>
    new Uint8Array(await blob.slice(start, end).arrayBuffer());
  return new Source(blob.size, read, new Uint8Array(0));
}

/** @param {ArrayBuffer | ArrayBufferView} data */
function asBytes(data) {
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}

// Images.

/** Return the orientation that Exif data state, 1 to 8. @param {Uint8Array} exif */
function orientationOf(exif) {
  // Some programs leave the name that stands before Exif data in JPEG files.
  const data = exif[0] === 0x45 ? exif.subarray(6) : exif;
  if (data.length < 14) return 1;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const little = data[0] === 0x49;
  const first = view.getUint32(4, little);
  const count = first + 2 <= data.length ? view.getUint16(first, little) : 0;
  for (let at = first + 2; at + 12 <= Math.min(first + 2 + 12 * count, data.length); at += 12) {
    const value = view.getUint16(at + 8, little);
    if (view.getUint16(at, little) === 0x112 && value >= 1 && value <= 8) return value;
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
    const found = pixels?.slice() ?? look(labels, this.#colors(), new Uint32Array(labels.length));
    return new Uint8ClampedArray(/** @type {ArrayBuffer} */ (found.buffer));
  }

  /** Return the image as its Exif data say that it is to be looked at. */
  upright() {
    const { exif } = this.metadata;
    const orientation = exif ? orientationOf(exif) : 1;
    if (orientation < 2) return this;
    const { width, height, labels, pixels } = this;
    const turned = orientation > 4;
    const mirroredX = [2, 3, 7, 8].includes(orientation);
    const mirroredY = [3, 4, 6, 7].includes(orientation);
    const [w, h] = turned ? [height, width] : [width, height];
    const target = labels.slice();
    const turnedPixels = pixels && pixels.slice();
    for (let y = 0; y < h; y++) {
      for (let x = 0; x < w; x++) {
        const [column, row] = turned ? [y, x] : [x, y];
        const across = mirroredX ? width - 1 - column : column;
        const from = (mirroredY ? height - 1 - row : row) * width + across;
        target[y * w + x] = labels[from];
        if (pixels && turnedPixels) turnedPixels[y * w + x] = pixels[from];
      }
    }
    return new KqfImage(w, h, target, this.codebook, this.channels, this.metadata, turnedPixels);
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
    this.drawAt(canvas, 0);
  }

  /**
   * Draw the image on a canvas that is large enough, from a row of its pixels on.
   *
   * @param {HTMLCanvasElement | OffscreenCanvas} canvas
   * @param {number} upper
   */
  drawAt(canvas, upper) {
    const { width, height, labels, pixels } = this;
    const context = /** @type {CanvasRenderingContext2D | null} */ (
      canvas.getContext("2d", { willReadFrequently: true })
    );
    if (!context)
      throw new Error(`a canvas of ${canvas.width} x ${canvas.height} pixels cannot be drawn on`);
    // A few rows at once: new memory for all pixels takes longer than to fill it.
    const rows = Math.min(height, Math.ceil(BAND / width));
    const data = new ImageData(width, rows);
    const band = new Uint32Array(data.data.buffer);
    const colors = this.#colors();
    for (let y = 0; y < height; y += rows) {
      const from = y * width;
      if (pixels) band.set(pixels.subarray(from, from + band.length));
      else look(labels.subarray(from, from + band.length), colors, band);
      context.putImageData(data, 0, upper + y, 0, 0, width, Math.min(rows, height - y));
    }
  }
}

/**
 * Give each pixel the colour of its label.
 *
 * @param {Uint8Array} labels
 * @param {Uint32Array} colors
 * @param {Uint32Array} pixels
 */
function look(labels, colors, pixels) {
  for (let i = 0; i < labels.length; i++) pixels[i] = colors[labels[i]];
  return pixels;
}

// Predictors (section 7). All work on a tile as it is stored, w wide and h high.

/**
 * Turn ranks into labels, in place.
 *
 * @param {Uint8Array} tile
 * @param {number} w
 * @param {Uint8Array} order labels by context * 256 + rank
 * @param {boolean} up whether contexts are above, not to the left
 */
function unrank(tile, w, order, up) {
  if (up) {
    for (let i = 0; i < Math.min(w, tile.length); i++) tile[i] = order[tile[i]];
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
    if (packed[i] >> used) fail("wrong", "LABL", field, "zero", "others");
  }
}

/**
 * Return the labels of predictor copy (section 7.4), and how many of them are new.
 *
 * @param {Uint8Array} codes
 * @param {Uint8Array} symbols new labels, or their ranks
 * @param {number} w
 * @param {number} h
 * @param {Uint8Array | null} order for ranks
 * @returns {[tile: Uint8Array, used: number]}
 */
function copied(codes, symbols, w, h, order) {
  const tile = new Uint8Array(w * h);
  // The four rows of codes of a band, each from a whole word on.
  const quarter = (w + 3) >> 2;
  const words = new Uint32Array(4 * quarter);
  const band = new Uint8Array(words.buffer);
  // Of each row of a band, the pixels that do not copy from above: symbol, code and column.
  const changes = new Uint32Array(16 * w);
  const ends = new Uint32Array(16);
  // By code; beside the tile there are zeros, too.
  const choices = new Uint8Array(4);
  // Above the tile there are zeros.
  let above = new Uint8Array(w);
  let next = 0;
  for (let top = 0, from = 0; top < h; top += 16) {
    band.fill(0);
    for (let to = 0; to < band.length; to += 4 * quarter) {
      band.set(codes.subarray(from, (from += w)), to);
    }
    for (let y = 0; y < 16; y++) ends[y] = y * w;
    for (let x = 0; x < w; x++) {
      if (!(x & 3)) {
        // Most codes are 0: those of four columns are skipped at once.
        const i = x >> 2;
        if (!(words[i] | words[i + quarter] | words[i + 2 * quarter] | words[i + 3 * quarter])) {
          x += 3;
          continue;
        }
      }
      for (let at = x, y = 0; y < 16; at += 4 * quarter) {
        let four = band[at];
        if (!four) {
          y += 4;
          continue;
        }
        // Without branches, which would be guessed wrongly; what is written in vain is not read.
        for (const end = y + 4; y < end; y++, four >>= 2) {
          const symbol = next < symbols.length ? symbols[next] : 0;
          changes[ends[y]] = (symbol << 24) | ((four & 3) << 16) | x;
          ends[y] += (four | (four >> 1)) & 1;
          next += four & (four >> 1) & 1;
        }
      }
    }
    for (let y = 0; y < 16 && top + y < h; y++) {
      const row = tile.subarray((top + y) * w, (top + y + 1) * w);
      row.set(above);
      for (let i = y * w; i < ends[y]; i++) {
        const change = changes[i];
        const x = change & 0xffff;
        const symbol = change >>> 24;
        choices[0] = above[x];
        choices[1] = x ? row[x - 1] : 0;
        choices[2] = x < w - 1 ? above[x + 1] : 0;
        choices[3] = order ? order[(above[x] << 8) | symbol] : symbol;
        row[x] = choices[(change >> 16) & 3];
      }
      above = row;
    }
  }
  return [tile, next];
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
  const others = new Uint32Array(colors);
  const sorted = new Uint32Array(colors);
  const low = new Uint16Array(513);
  const high = new Uint16Array(513);
  let at = 0;
  for (let context = 0; context < colors; context++) {
    const count = table[at++];
    if (!(at + count <= table.length))
      fail("wrong", "RANK", "entries", "one list for each context", "fewer");
    const listed = new Uint8Array(colors);
    for (let k = 0; k < count; k++) {
      const label = table[at++];
      if (label >= colors) fail("wrong", "RANK", "label", `at most ${colors - 1}`, label);
      if (listed[label]) fail("wrong", "RANK", "labels of a context", "distinct", `${label} twice`);
      listed[label] = 1;
      order[context * 256 + k] = label;
    }
    // The others by distance, at most 18 bits, nine of them at a time.
    let n = 0;
    low.fill(0);
    high.fill(0);
    for (let label = 0; label < colors; label++) {
      if (listed[label]) continue;
      let distance = 0;
      for (let k = 0; k < channels; k++) {
        const difference = codebook[label * channels + k] - codebook[context * channels + k];
        distance += difference * difference;
      }
      low[(distance & 511) + 1]++;
      high[(distance >> 9) + 1]++;
      others[n++] = distance * 256 + label;
    }
    for (let i = 0; i < 512; i++) {
      low[i + 1] += low[i];
      high[i + 1] += high[i];
    }
    for (let k = 0; k < n; k++) sorted[low[(others[k] >>> 8) & 511]++] = others[k];
    for (let k = 0; k < n; k++) {
      order[context * 256 + count + high[sorted[k] >>> 17]++] = sorted[k];
    }
  }
  if (at !== table.length) fail("wrong", "RANK", "inflated size", at, table.length);
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
  if (data.length < 8) fail("wrong", "SHAP", "length", "at least 8", data.length);
  const count = u32(data, 0);
  const length = u32(data, 4);
  if (count < 1 || count > 65536) fail("wrong", "SHAP", "count", "1 to 65536", count);
  if (length > data.length - 8) {
    fail("wrong", "SHAP", "sides_length", `at most ${data.length - 8}`, length);
  }
  const sides = await inflateTo(
    data.subarray(8, 8 + length),
    3 * count,
    "SHAP",
    "inflated size of sides",
  );
  let area = 0;
  for (let i = 0; i < count; i++) {
    if (!sides[i] || !sides[count + i]) fail("wrong", "SHAP", "side of a shape", "1 to 255", 0);
    area += sides[i] * sides[count + i];
  }
  if (area > most) fail("wrong", "SHAP", "pixels of all shapes", `at most ${most}`, area);
  const labels = await inflateTo(
    data.subarray(8 + length),
    area,
    "SHAP",
    "inflated size of labels",
  );
  checkLabels(labels, lastLabel, "SHAP", "label");
  checkLabels(sides.subarray(2 * count), lastLabel, "SHAP", "label");
  /** @type {Shape[]} */
  const shapes = [];
  for (let i = 0, at = 0; i < count; i++) {
    const [height, width, ground] = [sides[i], sides[count + i], sides[2 * count + i]];
    const offsets = new Uint16Array(height * width);
    const painted = new Uint8Array(height * width);
    let n = 0;
    for (let k = 0; k < height * width; k++) {
      const label = labels[at++];
      if (label === ground) continue;
      painted[n] = label;
      offsets[n++] = (Math.floor(k / height) << 8) | k % height;
    }
    if (n < 4) fail("wrong", "SHAP", `pixels that shape ${i} paints`, "at least 4", n);
    shapes.push({
      height,
      width,
      area: height * width,
      offsets: offsets.slice(0, n),
      labels: painted.slice(0, n),
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
    if (shape >= shapes.length) {
      fail("wrong", chunk, `shape in ${what}`, `at most ${shapes.length - 1}`, shape);
    }
    const { height, width } = shapes[shape];
    edge = (edge + down) & 0xffff;
    const dx = ((i && !down ? end : 0) + across) & 0xffff;
    const dy = edge - height;
    end = dx + width;
    const x = left + dx;
    const y = upper + dy;
    if (dy < 0 || y >= lower || x >= right) {
      fail("wrong", chunk, `upper left pixel of ${field}`, "one of the tile", "another");
    }
    if (x + width > imageWidth || y + height > imageHeight) {
      fail("wrong", chunk, field, "inside the image", "one beyond its edge");
    }
    placements.push({ x, y, shape });
  }
  return placements;
}

/** @param {number} lastLabel */
function labelsPerByte(lastLabel) {
  return !lastLabel ? 64 : lastLabel < 2 ? 8 : lastLabel < 4 ? 4 : 2;
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
function checkLabels(symbols, lastLabel, chunk, field) {
  if (lastLabel === 255) return;
  for (let i = 0; i < symbols.length; i++) {
    if (symbols[i] > lastLabel) fail("wrong", chunk, field, `at most ${lastLabel}`, symbols[i]);
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
  // Where the samples of an entry are in the four bytes of a pixel.
  const shifts = [[0], [0, 24], [0, 8, 16], [0, 8, 16, 24]][channels - 1];
  return (/** @type {number} */ pixel) => {
    let label = known.get(pixel);
    if (label === undefined) {
      let least = Infinity;
      for (let k = 0; k < codebook.length / channels; k++) {
        let distance = 0;
        for (let c = 0; c < channels; c++) {
          const difference = ((pixel >> shifts[c]) & 255) - codebook[k * channels + c];
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
      if (n >= blocks) fail("wrong", "FRAM", "bits beyond the last block", 0, `bit ${n}`);
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
  /** @type {(field: string, expected: unknown, found: unknown) => never} */
  const wrong = (field, expected, found) => fail("wrong", "FRAM", field, expected, found);
  if (data.length < 5) wrong("length", "at least 5", data.length);
  if (data[4] > 1) fail("unsupported", "FRAM", "kind", "0 to 1", data[4]);
  if (!data[4]) return data.length === 6 ? null : wrong("length of a whole frame", 6, data.length);
  if (data.length < 23) wrong("length of changes", "at least 23", data.length);
  const count = u32(data, 5);
  const side = data[9];
  if (count < 1 || count > 65536) wrong("frames", "1 to 65536", count);
  if (![1, 2, 4, 8, 16].includes(side)) wrong("side", "1, 2, 4, 8 or 16", side);
  if (data[10] > 1) wrong("ranked", "0 to 1", data[10]);
  let rest = data.subarray(23);
  const [countsStream, mapsStream, placementsStream] = ["counts", "maps", "placements"].map(
    (name, i) => {
      const length = u32(data, 11 + 4 * i);
      if (length > rest.length) wrong(`${name}_length`, `at most ${rest.length}`, length);
      const stream = rest.subarray(0, length);
      rest = rest.subarray(length);
      return stream;
    },
  );
  /** @param {Uint8Array} stream @param {string} name @param {number} size @param {number} most */
  const part = async (stream, name, size, most) => {
    if (!size && stream.length) wrong(`length of ${name}`, 0, stream.length);
    if (!size) return stream;
    if (count > 1 && size > most) wrong(`${name} of several frames`, `at most ${most}`, size);
    return inflateTo(stream, size, "FRAM", `inflated size of ${name}`);
  };
  const counts = await part(countsStream, "counts", 5 * count, Infinity);
  const mapBytes = Math.ceil((Math.ceil(width / side) * Math.ceil(height / side)) / 8);
  const mostPlaced = Math.floor((width * height) / 4);
  const placed = new Uint32Array(count);
  let maps = 0;
  let total = 0;
  for (let i = 0; i < count; i++) {
    if (counts[i] > 1) wrong("first plane of counts", "0 to 1", counts[i]);
    maps += counts[i];
    for (let plane = 4; plane; plane--) placed[i] = placed[i] * 256 + counts[plane * count + i];
    if (placed[i] > mostPlaced) wrong("placements of a frame", `at most ${mostPlaced}`, placed[i]);
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
  checkLabels(labels, lastLabel, "FRAM", "label");
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
  const side = Math.max(width, height);
  if (side > MAX_SIDE_OF_TILES)
    fail("wrong", "FRAM", "canvas with placements", `at most ${MAX_SIDE_OF_TILES}`, side);
  if (!shapes) return fail("wrong", "FRAM", "shapes in force", "at least 1", 0);
  const name = `frame ${number}`;
  const found = readPlacements(planes, shapes, [0, 0, width, height], width, height, "FRAM", name);
  let total = 0;
  for (const { shape } of found) total += shapes[shape].labels.length;
  const most = width * height;
  if (total > most) fail("wrong", "FRAM", "pixels painted", `at most ${most}`, total);
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

/** @param {Uint8Array} data of fidx @param {[frame: number, offset: number][]} whole */
function checkFrameIndex(data, whole) {
  const { length } = data;
  if (length < 16 || length % 12 !== 4) {
    fail("wrong", "fidx", "length", "4 more than a multiple of 12", length);
  }
  const stated = u32(data, length - 4);
  if (stated !== length) fail("wrong", "fidx", "payload_length", length, stated);
  const listed = [];
  for (let at = 0; at < length - 4; at += 12) {
    listed.push([u32(data, at), u32(data, at + 4) * 2 ** 32 + u32(data, at + 8)]);
  }
  if (String(listed) !== String(whole)) fail("wrong", "fidx", "whole frames", whole, listed);
}

// Files.

/** A KQF file whose head has been read; `read` gives its image or a region of it. */
export class KqfFile {
  /** @type {Source} */ #source;
  /** @type {Record<string, Uint8Array>} */ #payloads = {};
  /** @type {Promise<Uint8Array | null> | undefined} */ #order;
  /** @type {Promise<Shape[] | null> | undefined} */ #shapes;
  /** @type {Float64Array | undefined} */ #offsets;
  #labelsAt = 0;
  #position = 8;
  #layout = 0;
  #shaped = false;

  /** @param {Source} source */
  constructor(source) {
    this.#source = source;
    /** Bytes of the file. */
    this.size = source.size;
    this.width = 0;
    this.height = 0;
    this.tileWidth = 0;
    this.tileHeight = 0;
    this.version = 0;
    this.channels = 0;
    this.colors = 0;
    this.columnsFirst = false;
    this.ranked = false;
    /** Entries of `channels` bytes each. */
    this.codebook = new Uint8Array(0);
    /** @type {Metadata} */
    this.metadata = {};
    /** How many frames there are: 1 of a still. */
    this.frames = 1;
    /** How often an animation is to be played, 0 for ever. */
    this.loop = 1;
    /** Milliseconds of each frame; none of a still. @type {number[]} */
    this.durations = [];
    /** The chunks up to the first tile's. @type {Chunk[]} */
    this.chunks = [];
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
    const found = await source.read(0, Math.min(8, source.size));
    if (found.length < 8 || found.some((byte, i) => byte !== SIGNATURE[i])) {
      const begun = found.every((byte, i) => byte === SIGNATURE[i]);
      fail(begun ? "truncated" : "wrong", "file", "signature", "89 4b 51 46 0d 0a 1a 0a", [
        ...found,
      ]);
    }
    await file.#readHead();
    await file.#readCodebook();
    await file.#readPrologue();
    return file;
  }

  /** @param {AbortSignal} [signal] */
  async #chunkHead(signal) {
    const left = this.size - this.#position;
    if (left < 8) fail("truncated", "file", "chunk head", "8 bytes", left);
    const data = await this.#source.read(this.#position, 8, signal);
    const type = String.fromCharCode(...data.subarray(4));
    if (!/^[A-Za-z][A-Za-z0-9 ]{3}$/.test(type)) {
      fail(
        "wrong",
        "file",
        "chunk type",
        "a letter, then letters, digits or spaces",
        JSON.stringify(type),
      );
    }
    const length = u32(data, 0);
    if (!this.#labelsAt) this.chunks.push({ offset: this.#position, type, length });
    this.#position += 8;
    return { type, length };
  }

  /** @param {string} type @param {number} length @param {AbortSignal} [signal] */
  async #chunkBody(type, length, signal) {
    const left = this.size - this.#position;
    if (length > left) fail("truncated", type, "payload", `${length} bytes`, left);
    if (length + 4 > left) fail("truncated", type, "crc", "4 bytes", left - length);
    const data = await this.#source.read(this.#position - 4, length + 8, signal);
    this.#position += length + 4;
    const expected = crc32(data.subarray(0, length + 4));
    const found = u32(data, length + 4);
    if (found !== expected) fail("wrong", type, "crc", expected.toString(16), found.toString(16));
    return data.subarray(4, length + 4);
  }

  async #readHead() {
    const { type, length } = await this.#chunkHead();
    if (type !== "HEAD") fail("wrong", "file", "chunk order", "HEAD", type);
    if (length !== 20) fail("wrong", "HEAD", "length", 20, length);
    const data = await this.#chunkBody(type, length);
    const names = ["width", "height", "tile_width", "tile_height"];
    const sides = names.map((name, i) => {
      const side = u32(data, 4 * i);
      if (side < 1 || side > MAX_SIDE) fail("wrong", "HEAD", name, `1 to ${MAX_SIDE}`, side);
      return side;
    });
    [this.width, this.height, this.tileWidth, this.tileHeight] = sides;
    const [version, channels, lastLabel, layout] = data.subarray(16);
    if (version < 1 || version > 2) fail("unsupported", "HEAD", "version", "1 to 2", version);
    if (channels < 1 || channels > 4) fail("wrong", "HEAD", "channels", "1 to 4", channels);
    this.version = version;
    this.channels = channels;
    this.colors = lastLabel + 1;
    if (version > 1) {
      this.#readLayout(layout, "HEAD");
    } else {
      if (layout > 2) fail("wrong", "HEAD", "predictor", "0 to 2", layout);
      this.#layout = layout;
    }
  }

  /** @param {number} layout of version 2 @param {string} chunk */
  #readLayout(layout, chunk) {
    this.#layout = layout & 15;
    if (this.#layout > PACKED)
      fail("unsupported", chunk, "predictor", `0 to ${PACKED}`, this.#layout);
    if (layout & 128) fail("unsupported", chunk, "reserved", 0, 1);
    this.columnsFirst = (layout & 16) > 0;
    this.ranked = (layout & 32) > 0;
    this.#shaped = (layout & 64) > 0;
    if (this.ranked && this.#layout !== COPY) fail("wrong", chunk, "ranked", "0 without copy", 1);
    if (this.#layout === PACKED && this.colors > 16) {
      fail("wrong", chunk, "last_label", "at most 15 with packed", this.colors - 1);
    }
    const side = Math.max(
      Math.min(this.tileWidth, this.width),
      Math.min(this.tileHeight, this.height),
    );
    if ((this.#shaped || this.#layout === COPY) && side > MAX_SIDE_OF_TILES) {
      const most = `at most ${MAX_SIDE_OF_TILES}`;
      fail("wrong", chunk, "tile sides with copy or shapes", most, side);
    }
  }

  async #readCodebook() {
    const { type, length } = await this.#chunkHead();
    const { colors, channels } = this;
    const size = colors * channels;
    if (type === "PCOD") {
      this.#needVersion2(type);
      checkRatio(length, size, type);
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
      fail("wrong", "file", "chunk order", "CODE", type);
    }
    if (length !== size) fail("wrong", type, "length", size, length);
    this.codebook = (await this.#chunkBody(type, length)).slice();
  }

  /** @param {string} type */
  #needVersion2(type) {
    if (this.version === 1) fail("unsupported", "file", "critical chunk", "one of version 1", type);
  }

  /** @param {string} type */
  #refuseUnknown(type) {
    if (this.version > 1 && type < "a" && !CRITICAL.includes(type)) {
      fail("unsupported", "file", "critical chunk", "a known one", type);
    }
  }

  async #readPrologue() {
    const payloads = this.#payloads;
    const ranked = this.#layout === 1 || this.#layout === 2;
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
      if (count === 1024) fail("wrong", "file", "chunks before LABL", count, "more");
      if (type in payloads) fail("wrong", type, "count", 1, "another");
      if (type === "RANK") {
        if (!ranked) fail("wrong", type, "count", `0 with ${this.predictor}`, 1);
        checkRanking(length, this.colors);
      } else if (type === "ANIM") {
        this.#needVersion2(type);
      } else if (type === "tidx") {
        if (length !== 4 * tiles) fail("wrong", type, "length", 4 * tiles, length);
      } else if (type === "SHAP") {
        this.#needVersion2(type);
        if (!this.#shaped) fail("wrong", type, "count", "0 without shapes", 1);
      } else if (
        ["HEAD", "CODE", "DONE"].includes(type) ||
        (this.version > 1 && ["PCOD", "FRAM"].includes(type))
      ) {
        fail("wrong", "file", "chunk order", "LABL or a chunk before it", type);
      } else if (type < "a") {
        fail("unsupported", "file", "critical chunk", "a known one", type);
      } else {
        total += length;
        if (METADATA.includes(type) && !length) fail("wrong", type, "length", "at least 1", 0);
        if (length > 16 * MIB) fail("wrong", type, "length", `at most ${16 * MIB}`, length);
        if (total > 64 * MIB) {
          fail("wrong", type, "length of all metadata", `at most ${64 * MIB}`, total);
        }
      }
      if (type === "over" || type === "oidx") {
        // The image is read without overviews, even if they are damaged (R6.8-10).
        const left = this.size - this.#position;
        if (length + 4 > left) fail("truncated", type, "payload", `${length} bytes`, left);
        if (type === "oidx") {
          const data = await this.#source.read(this.#position - 4, length + 8);
          const crc = crc32(data.subarray(0, length + 4));
          if (crc !== u32(data, length + 4)) this.chunks.pop();
        }
        this.#position += length + 4;
        continue;
      }
      const payload = await this.#chunkBody(type, length);
      if (["RANK", "SHAP", "ANIM", "tidx", ...METADATA].includes(type)) payloads[type] = payload;
    }
    if (this.version === 1 && ranked && !payloads.RANK) fail("wrong", "RANK", "count", 1, 0);
    if (this.#shaped && !payloads.SHAP) fail("wrong", "SHAP", "count", "1 with shapes", 0);
    if (payloads.ANIM) await this.#readAnimation(payloads.ANIM);
    this.#readMetadata();
    this.#checkRoom();
  }

  /** Section 9.3: no more is allocated than the bytes left can bear out. */
  #checkRoom() {
    const tiles = this.columns * this.rows;
    let stored = this.width * this.height;
    if (this.#layout === COPY) stored = Math.ceil(stored / 4);
    if (this.#layout === PACKED) stored = Math.ceil(stored / labelsPerByte(this.colors - 1));
    const least = FRAME * tiles + Math.max(MIN_STREAM * tiles, Math.ceil(stored / MAX_RATIO));
    const left = this.size - this.#labelsAt;
    if (least > left) fail("truncated", "LABL", "count", `${tiles} in ${least} bytes`, left);
  }

  #readMetadata() {
    const { iccp, exif, "xmp ": xmp, phys, text } = this.#payloads;
    if (iccp) this.metadata.iccProfile = iccp;
    if (exif) this.metadata.exif = exif;
    if (xmp) this.metadata.xmp = xmp;
    if (phys) {
      if (phys.length !== 12) fail("wrong", "phys", "length", 12, phys.length);
      const [x, y, unit] = ["x_pixels", "y_pixels", "unit_micrometres"].map((name, i) => {
        const value = u32(phys, 4 * i);
        return value || fail("wrong", "phys", name, "at least 1", 0);
      });
      this.metadata.dpi = [(x * 25400) / unit, (y * 25400) / unit];
    }
    if (text) {
      try {
        this.metadata.comment = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
          text,
        );
      } catch {
        fail("wrong", "text", "payload", "UTF-8", "other bytes");
      }
      if (text.includes(0)) fail("wrong", "text", "payload", "no NUL", "one");
    }
  }

  /** Return labels by context * 256 + rank, null where no label is ranked. */
  async #readOrder() {
    if (!(this.ranked || this.#layout === 1 || this.#layout === 2)) return null;
    return rankLabels(this.codebook, this.channels, this.#payloads.RANK);
  }

  /** Return the shapes, null where there are none. */
  async #readShapes() {
    const data = this.#payloads.SHAP;
    return data ? readShapes(data, this.colors - 1, this.width * this.height) : null;
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

  /** @param {number} number @param {AbortSignal} [signal] */
  async #tileHead(number, signal) {
    const { type, length } = await this.#chunkHead(signal);
    if (type !== "LABL") {
      this.#refuseMisplaced(type);
      fail("wrong", "file", "chunk order", `LABL of tile ${number}`, type);
    }
    const index = this.#payloads.tidx;
    if (index && u32(index, 4 * number) !== length) {
      fail("wrong", "tidx", `lengths[${number}]`, length, u32(index, 4 * number));
    }
    const copies = this.#layout === COPY;
    const [left, upper, right, lower] = this.#tileBox(number);
    const size = this.#storedBytes(right - left, lower - upper);
    checkRatio(length - 4 * (Number(this.#shaped) + Number(copies)), size, "LABL");
    return length;
  }

  /** @param {string} type */
  #refuseMisplaced(type) {
    this.#refuseUnknown(type);
    if (this.version > 1 && ["SHAP", "ANIM"].includes(type))
      fail("wrong", type, "count", "0 after the first LABL", 1);
  }

  /** Bytes that the labels of a tile, or their codes, inflate to. @param {number} width @param {number} height */
  #storedBytes(width, height) {
    const [w, h] = this.columnsFirst ? [height, width] : [width, height];
    if (this.#layout === COPY) return Math.ceil(h / 4) * w;
    if (this.#layout === PACKED) return Math.ceil(h / labelsPerByte(this.colors - 1)) * w;
    return w * h;
  }

  /** Go to the chunk of a tile, from that of another before it. @param {number} from @param {number} to @param {AbortSignal} [signal] */
  async #seek(from, to, signal) {
    const index = this.#payloads.tidx;
    if (index && from !== to) {
      if (!this.#offsets) {
        this.#offsets = new Float64Array(index.length / 4);
        let at = this.#labelsAt;
        for (let i = 0; i < this.#offsets.length; i++) {
          this.#offsets[i] = at;
          at += u32(index, 4 * i) + FRAME;
        }
      }
      const offset = this.#offsets[to];
      if (offset > this.size) fail("truncated", "tidx", "lengths", `${offset} bytes`, this.size);
      this.#position = offset;
      return;
    }
    for (let number = from; number < to; number++) {
      const length = await this.#tileHead(number, signal);
      const left = this.size - this.#position;
      if (length + 4 > left) fail("truncated", "LABL", "payload", `${length + 4} bytes`, left);
      this.#position += length + 4;
    }
  }

  /**
   * Decode the labels of a tile, and return its placements.
   *
   * @param {Uint8Array} payload
   * @param {number} number
   * @param {{labels: Uint8Array | null} | null} canvas gets the labels; null for placements alone
   * @param {Box} box of the region
   * @param {Uint8Array | null} order
   * @param {Shape[] | null} shapes
   */
  async #decodeTile(payload, number, canvas, box, order, shapes) {
    let at = 0;
    const readNumber = () => {
      const left = payload.length - at;
      if (left < 4) fail("wrong", "LABL", `length of tile ${number}`, "4 bytes more", left);
      at += 4;
      return u32(payload, at - 4);
    };
    /** @param {string} field */
    const readPart = (field) => {
      const length = readNumber();
      const left = payload.length - at;
      if (length > left)
        fail("wrong", "LABL", `${field} of tile ${number}`, `at most ${left}`, length);
      at += length;
      return payload.subarray(at - length, at);
    };
    /** @type {Placement[]} */
    let placements = [];
    if (shapes) {
      const count = readNumber();
      const field = `placements of tile ${number}`;
      const most = Math.floor((this.width * this.height) / 4);
      if (count) {
        const stream = readPart("placements_length");
        if (count > most) fail("wrong", "LABL", `number of ${field}`, `at most ${most}`, count);
        const planes = await inflateTo(stream, 6 * count, "LABL", `inflated size of ${field}`);
        const box = this.#tileBox(number);
        const name = `tile ${number}`;
        placements = readPlacements(planes, shapes, box, this.width, this.height, "LABL", name);
      }
    }
    if (!canvas) return placements;
    const [left, upper, right, lower] = this.#tileBox(number);
    const [width, height] = [right - left, lower - upper];
    const [w, h] = this.columnsFirst ? [height, width] : [width, height];
    const size = this.#storedBytes(width, height);
    const lastLabel = this.colors - 1;
    /** @type {Uint8Array} */
    let tile;
    if (this.#layout === COPY) {
      const stream = readPart("codes_length");
      const codes = await inflateTo(stream, size, "LABL", `bytes of codes of tile ${number}`);
      checkPadding(codes, w, h % 4 && 2 * (h % 4), `codes beyond tile ${number}`);
      const rest = payload.subarray(at);
      const most = Math.min(w * h, rest.length * MAX_RATIO);
      if (most) checkRatio(rest.length, 0, "LABL");
      const symbols = most ? await inflate(rest, most, "LABL") : rest;
      checkLabels(symbols, lastLabel, "LABL", `new label in tile ${number}`);
      let used;
      [tile, used] = copied(codes, symbols, w, h, order);
      if (used !== symbols.length || (most && !used))
        fail("wrong", "LABL", `new labels of tile ${number}`, used, symbols.length);
    } else {
      tile = await inflateTo(payload.subarray(at), size, "LABL", `inflated size of tile ${number}`);
      if (this.#layout === PACKED) {
        const share = labelsPerByte(lastLabel);
        // Where all labels are 0, so are all bytes.
        if (share < 64) {
          checkPadding(tile, w, ((h % share) * 8) / share, `labels beyond tile ${number}`);
          tile = unpack(tile, w, h, share);
        }
        checkLabels(tile, lastLabel, "LABL", `label in tile ${number}`);
        if (share === 64) tile = new Uint8Array(w * h);
      } else {
        checkLabels(tile, lastLabel, "LABL", `symbol in tile ${number}`);
        if (order) unrank(tile, w, order, this.#layout === 2);
      }
    }
    // The part of the tile that lies in the region.
    const [boxLeft, boxUpper, boxRight, boxLower] = box;
    if (!this.columnsFirst && String(box) === String(this.#tileBox(number))) {
      canvas.labels = tile;
      return placements;
    }
    const target = (canvas.labels ??= new Uint8Array((boxRight - boxLeft) * (boxLower - boxUpper)));
    const from = Math.max(left, boxLeft);
    const to = Math.min(right, boxRight);
    const [across, down] = this.columnsFirst ? [w, 1] : [1, w];
    // Blocks of some columns stay in the cache, in whichever order the labels are stored.
    for (let first = from; first < to; first += 64) {
      const end = Math.min(first + 64, to);
      for (let y = Math.max(upper, boxUpper); y < Math.min(lower, boxLower); y++) {
        let into = (y - boxUpper) * (boxRight - boxLeft) + first - boxLeft;
        let at = (first - left) * across + (y - upper) * down;
        for (let x = first; x < end; x++, at += across) target[into++] = tile[at];
      }
    }
    return placements;
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
      if (total > most) fail("wrong", "LABL", "pixels painted", `at most ${most}`, total);
      const inside = x >= 0 && y >= 0 && x + w <= width && y + h <= height;
      for (let k = 0; k < labels.length; k++) {
        const across = x + (offsets[k] >> 8);
        const down = y + (offsets[k] & 255);
        if (!inside && (across < 0 || down < 0 || across >= width || down >= height)) continue;
        const pixel = down * width + across;
        const bit = 1 << (pixel & 31);
        if (painted[pixel >> 5] & bit)
          fail("wrong", "LABL", "pixels painted", "once each", "some twice");
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
  async #read({ region, maxPixels = MAX_PIXELS, signal }) {
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
    const pixels =
      (Math.min((lastColumn + 1) * tileWidth, this.width) - column * tileWidth) *
      (Math.min((lastRow + 1) * tileHeight, this.height) - row * tileHeight);
    if (pixels > maxPixels)
      fail("limit", "file", "pixels of the tiles to read", `at most ${maxPixels}`, pixels);
    const order = await (this.#order ??= this.#readOrder());
    const shapes = await (this.#shapes ??= this.#readShapes());
    const reach = shapes ? REACH : 0;
    const firstColumn = Math.floor(Math.max(left - reach, 0) / tileWidth);
    const firstRow = Math.floor(Math.max(upper - reach, 0) / tileHeight);
    /** @type {{labels: Uint8Array | null}} */
    const canvas = { labels: null };
    /** @type {Placement[]} */
    const placements = [];
    /** @type {{pixels: number, result: Promise<Placement[]>}[]} */
    const pending = [];
    let ahead = 0;
    const settle = async () => {
      const { pixels: done, result } = /** @type {typeof pending[0]} */ (pending.shift());
      for (const placement of await result) placements.push(placement);
      ahead -= done;
    };
    this.#position = this.#labelsAt;
    let next = 0;
    for (let y = firstRow; y <= lastRow; y++) {
      for (let x = firstColumn; x <= lastColumn; x++) {
        signal?.throwIfAborted();
        const number = y * columns + x;
        await this.#seek(next, number, signal);
        next = number + 1;
        const length = await this.#tileHead(number, signal);
        const payload = await this.#chunkBody("LABL", length, signal);
        const wanted = x >= column && y >= row ? canvas : null;
        const [tileLeft, tileUpper, tileRight, tileLower] = this.#tileBox(number);
        const size = (tileRight - tileLeft) * (tileLower - tileUpper);
        const result = this.#decodeTile(payload, number, wanted, box, order, shapes);
        result.catch(() => {});
        pending.push({ pixels: size, result });
        ahead += size;
        while (ahead > AHEAD_PIXELS || pending.length > 16) await settle();
      }
    }
    while (pending.length) await settle();
    const target = /** @type {Uint8Array} */ (canvas.labels);
    const whole = target.length === this.width * this.height;
    if (shapes) {
      if (whole) {
        const used = new Set(placements.map(({ shape }) => shape));
        const unused = shapes.findIndex((_, i) => !used.has(i));
        if (unused >= 0) fail("wrong", "SHAP", `placements of shape ${unused}`, "at least 1", 0);
      }
      this.#paint(target, box, shapes, placements);
    }
    if (whole && this.frames === 1) await this.#finish(signal);
    return new KqfImage(
      right - left,
      lower - upper,
      target,
      this.codebook,
      this.channels,
      this.metadata,
    );
  }

  // Animations (sections 5.10 and 5.11).

  /** @param {Uint8Array} data of ANIM */
  async #readAnimation(data) {
    if (data.length < 12) fail("wrong", "ANIM", "length", "at least 12", data.length);
    const frames = u32(data, 0);
    const ticks = u32(data, 8);
    if (frames < 2 || frames > 2 ** 24) fail("wrong", "ANIM", "frames", `2 to ${2 ** 24}`, frames);
    if (ticks < 1 || ticks > 1e6) fail("wrong", "ANIM", "ticks_per_second", "1 to 1000000", ticks);
    const stream = data.subarray(12);
    const planes = await inflateTo(stream, 4 * frames, "ANIM", "inflated size of durations");
    let total = 0;
    for (let i = 0; i < frames; i++) {
      const [a, b, c, d] = [0, 1, 2, 3].map((plane) => planes[plane * frames + i]);
      const duration = u32(Uint8Array.of(d, c, b, a), 0);
      total += duration;
      this.durations.push((duration * 1000) / ticks);
    }
    const most = Number.MAX_SAFE_INTEGER;
    if (total > most) fail("wrong", "ANIM", "sum of durations", `at most ${most}`, total);
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

  /** @param {number} number @param {FrameOptions} options */
  async #frame(number, options) {
    if (!(Number.isInteger(number) && number >= 0 && number < this.frames)) {
      throw new RangeError(`frame: expected 0 to ${this.frames - 1}, found ${number}`);
    }
    if (!this.#player || number <= this.#shown) {
      this.#player = this.#play(options);
      this.#shown = -1;
      this.#next = 0;
    }
    const player = this.#player;
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

  /** @param {FrameOptions} options @returns {AsyncGenerator<KqfImage>} */
  async *#play({ maxPixels = MAX_PIXELS, maxWork = 64 * MAX_PIXELS, signal }) {
    const { width, height, channels, metadata } = this;
    let work = 0;
    const count = (/** @type {number} */ more) => {
      work += more;
      if (work > maxWork) fail("limit", "file", "pixels of all frames", `at most ${maxWork}`, work);
    };
    const region = [0, 0, width, height];
    count(width * height);
    let image = await this.#read({ region, maxPixels, signal });
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
    const whole = [];
    let last = 0;
    for (;;) {
      // Chunks of a group up to its FRAM.
      const start = this.#position;
      /** @type {Record<string, Uint8Array>} */
      const found = {};
      let head = await this.#chunkHead(signal);
      if (head.type === "fidx" || head.type === "DONE") {
        if (last + 1 < this.frames) fail("wrong", "file", "frames", this.frames, last + 1);
        // The last frame is shown only if the file ends as it should.
        if (head.type === "fidx") {
          checkFrameIndex(await this.#chunkBody("fidx", head.length, signal), whole);
          head = await this.#chunkHead(signal);
        }
        await this.#finishWith(head, signal);
        yield show();
        return;
      }
      for (let at = 0; ; head = await this.#chunkHead(signal)) {
        const { type, length } = head;
        this.#refuseUnknown(type);
        const place = GROUP.indexOf(type, at);
        if (place < 0 || (type === "PCOD" && found.CODE)) {
          fail("wrong", "file", "chunk order", "a group of frames, fidx or DONE", type);
        }
        at = place + 1;
        if (type === "RANK") checkRanking(length, 256);
        if (place < 2 && length > 2048) fail("wrong", type, "length", "at most 2048", length);
        found[type] = await this.#chunkBody(type, length, signal);
        if (type === "FRAM") break;
      }
      const { FRAM: data, CODE, PCOD, RANK, SHAP } = found;
      const given = PCOD ? await inflate(PCOD, 256 * channels, "PCOD") : CODE;
      if (given) {
        const colors = given.length / channels;
        if (!Number.isInteger(colors) || colors < 1 || colors > 256) {
          const expected = `1 to 256 entries of ${channels} bytes`;
          fail("wrong", PCOD ? "PCOD" : "CODE", "length", expected, given.length);
        }
      }
      const ours = given ? (PCOD ? unpackCodebook(given, channels) : given.slice()) : codebook;
      const lastLabel = ours.length / channels - 1;
      const changes = await readChanges(data, width, height, lastLabel);
      const first = u32(data, 0);
      if (first !== last + 1 && !(given && changes && first === last)) {
        fail("wrong", "FRAM", "first_frame", last + 1, first);
      }
      const end = first + (changes ? changes.frames.length : 1) - 1;
      if (end >= this.frames)
        fail("wrong", "FRAM", "last frame", `at most ${this.frames - 1}`, end);
      if (first !== last) yield show();
      last = end;
      if (!changes) {
        if (!given) fail("wrong", "FRAM", "codebook of a whole frame", "CODE or PCOD", "none");
        const other = new KqfFile(this.#source);
        for (const name of /** @type {const} */ (["width", "height", "tileWidth", "tileHeight"])) {
          other[name] = this[name];
        }
        Object.assign(other, { version: 2, channels, colors: lastLabel + 1, codebook: ours });
        other.metadata = metadata;
        other.#readLayout(data[5], "FRAM");
        if (RANK && other.#layout !== 1 && other.#layout !== 2)
          fail("wrong", "RANK", "count", `0 with ${other.predictor}`, 1);
        if (other.#shaped !== Boolean(SHAP))
          fail("wrong", "SHAP", "count", Number(other.#shaped), Number(Boolean(SHAP)));
        if (RANK) other.#payloads.RANK = RANK;
        if (SHAP) other.#payloads.SHAP = SHAP;
        other.#labelsAt = this.#position;
        other.frames = this.frames;
        other.#checkRoom();
        count(width * height);
        image = await other.#read({ region, maxPixels, signal });
        this.#position = other.#position;
        ({ labels, codebook } = image);
        shapes = (await other.#shapes) ?? null;
        ranking = undefined;
        order = pixels = stale = null;
        whole.push([first, start]);
        continue;
      }
      if (RANK && !changes.ranked) fail("wrong", "RANK", "count", "0 without ranked", 1);
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
        const known = (shapes ?? []).reduce((sum, { area }) => sum + area, 0);
        const more = await readShapes(SHAP, lastLabel, width * height + MIB - known);
        shapes = [...(shapes ?? []), ...more];
        if (shapes.length > 65536)
          fail("wrong", "SHAP", "shapes in force", "at most 65536", shapes.length);
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

  /** @param {AbortSignal} [signal] */
  async #finish(signal) {
    return this.#finishWith(await this.#chunkHead(signal), signal);
  }

  /** @param {{type: string, length: number}} head @param {AbortSignal} [signal] */
  async #finishWith({ type, length }, signal) {
    if (type !== "DONE") {
      this.#refuseMisplaced(type);
      fail("wrong", "file", "chunk order", "DONE", type);
    }
    if (length) fail("wrong", "DONE", "length", 0, length);
    await this.#chunkBody(type, length, signal);
    const left = this.size - this.#position;
    if (left) fail("wrong", "file", "end", "nothing after DONE", `${left} bytes`);
  }
}

/**
 * Open a file, and read what stands before its tiles. Of an address whose server knows ranges, and
 * of a Blob, only what is needed is read.
 *
 * @param {string | URL | Blob | ArrayBuffer | ArrayBufferView} source
 * @param {RequestInit} [init] for fetching an address
 */
export async function open(source, init = {}) {
  if (typeof source === "string" || source instanceof URL)
    return KqfFile.open(await urlSource(source, init));
  if (source instanceof Blob) return KqfFile.open(blobSource(source));
  return KqfFile.open(bytesSource(asBytes(source)));
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
