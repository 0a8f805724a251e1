// @ts-check
/** Decodes files and tells, as plain values, what came out; for Node and for browsers. */

import { KqfError, decode, open } from "../../kqf/web/kqf.js";

/** @param {Uint8Array} data */
const hex = (data) => Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** @param {Uint8Array | Uint8ClampedArray} data */
async function sha256(data) {
  const bytes = /** @type {Uint8Array<ArrayBuffer>} */ (data);
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

/** @param {import("../../kqf/web/kqf.js").Metadata} metadata */
function plain(metadata) {
  const entries = Object.entries(metadata);
  return Object.fromEntries(
    entries.map(([key, value]) => [key, value instanceof Uint8Array ? hex(value) : value]),
  );
}

/**
 * Return what a file decodes to, whole, by a region and frame by frame, or how it is refused.
 *
 * @param {Uint8Array} data
 * @param {number} [maxPixels]
 */
export async function answer(data, maxPixels) {
  try {
    const image = await decode(data, { maxPixels });
    const { width, height, labels } = image;
    const region = [Math.floor(width / 3), height >> 1, width, (height >> 1) + 1];
    const part = await decode(data, { region });
    const file = await open(data);
    const frames = [];
    for (let i = 0; file.frames > 1 && i < file.frames; i++) {
      const frame = await file.frame(i, { maxPixels, maxWork: maxPixels && 64 * maxPixels });
      frames.push(await sha256(frame.rgba()));
    }
    return {
      width,
      height,
      channels: image.channels,
      codebook: hex(image.codebook),
      metadata: plain(image.metadata),
      labels: await sha256(labels),
      rgba: await sha256(image.rgba()),
      region: await sha256(part.labels),
      loop: file.loop,
      durations: file.durations,
      frames,
    };
  } catch (error) {
    if (!(error instanceof KqfError)) return { error: String(error) };
    return { kind: error.kind, chunk: error.chunk, field: error.field, message: error.message };
  }
}
