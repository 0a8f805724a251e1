// @ts-check
/** The element `<kqf-img>`, which shows a KQF file as `<img>` shows others. */

import { open, play } from "./kqf.js";

/**
 * @param {string} url
 * @param {AbortSignal} [signal]
 * @param {import("./kqf.js").ReadOptions["onRows"]} [onRows]
 */
async function load(url, signal, onRows) {
  const response = await fetch(url, { signal });
  if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
  const file = await open(response);
  return { file, image: (await file.read({ signal, onRows })).upright() };
}

/** @param {EventTarget} target @param {unknown} error */
const tell = (target, error) =>
  target.dispatchEvent(new ErrorEvent("error", { error, message: String(error) }));

// Node has no elements; there the module is for decoding alone.
const Base = /** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? Object);

/**
 * `<kqf-img src alt width height loading="lazy">`.
 *
 * Its events are `load` and `error`, whose `error` says what is wrong. Of a file that cannot be
 * shown, what is within the element is shown, and without any such content the `alt` text.
 * `object-fit` and `image-rendering` work as for `<img>`.
 *
 * Animations play while they can be seen, unless the visitor prefers reduced motion; `play` and
 * `pause` start and stop them in any case.
 */
export class KqfImg extends Base {
  static observedAttributes = ["src", "alt", "width", "height", "loading"];

  #canvas = document.createElement("canvas");
  #style = document.createElement("style");
  #slot = document.createElement("slot");
  #internals = this.attachInternals();
  /** @type {AbortController | undefined} */ #loading;
  /** @type {IntersectionObserver | undefined} */ #observer;
  /** The image that is shown. @type {import("./kqf.js").KqfImage | null} */
  image = null;
  /** @type {import("./kqf.js").KqfFile | undefined} */ #file;
  /** @type {AbortController | undefined} */ #playing;
  #next = 0;
  /** Whether the file has been loaded, or has failed to. */
  complete = false;

  constructor() {
    super();
    this.#internals.role = "img";
    this.attachShadow({ mode: "open" }).append(this.#style, this.#canvas, this.#slot);
    this.#update();
  }

  get src() {
    return this.getAttribute("src") ?? "";
  }

  set src(value) {
    this.setAttribute("src", value);
  }

  get naturalWidth() {
    return this.image?.width ?? 0;
  }

  get naturalHeight() {
    return this.image?.height ?? 0;
  }

  connectedCallback() {
    this.#start();
  }

  disconnectedCallback() {
    this.#stop();
  }

  /** @param {string} name @param {string | null} before @param {string | null} now */
  attributeChangedCallback(name, before, now) {
    if (name === "src" ? before !== now : name === "loading" && !this.complete) this.#start();
    this.#update();
  }

  /** Whether no animation is playing. */
  get paused() {
    return !this.#playing;
  }

  /** Play the animation from where it was stopped. */
  play() {
    const file = this.#file;
    if (!file || file.frames < 2 || this.#playing) return;
    const playing = (this.#playing = new AbortController());
    const { signal } = playing;
    const from = this.#next;
    play(file, (image, number) => this.#show(image.upright(), number), { signal, from })
      .then(() => {
        if (!signal.aborted) this.#next = 0;
      })
      .catch((error) => tell(this, error))
      .finally(() => {
        if (this.#playing === playing) this.#playing = undefined;
      });
  }

  /** Stop the animation. */
  pause() {
    this.#playing?.abort();
    this.#playing = undefined;
  }

  /** @param {import("./kqf.js").KqfImage} image @param {number} number of its frame */
  #show(image, number) {
    // What has been drawn as it arrived is not drawn again.
    if (this.image !== image) image.draw(this.#canvas);
    this.image = image;
    this.#next = (number + 1) % (this.#file?.frames ?? 1);
  }

  #stop() {
    this.pause();
    this.#file = undefined;
    this.#loading?.abort();
    this.#observer?.disconnect();
  }

  #start() {
    this.#stop();
    if (!this.isConnected || !this.src) return;
    this.complete = false;
    if (this.getAttribute("loading") !== "lazy") {
      this.#load();
      return;
    }
    this.#observer = new IntersectionObserver(
      (entries) => {
        if (!entries.some((entry) => entry.isIntersecting)) return;
        this.#observer?.disconnect();
        this.#load();
      },
      { rootMargin: "50%" },
    );
    this.#observer.observe(this);
  }

  async #load() {
    const { signal } = (this.#loading = new AbortController());
    /** @type {unknown} */
    let failure;
    try {
      const url = new URL(this.src, document.baseURI).href;
      const { file, image } = await load(url, signal, (image, upper, lower) => {
        if (signal.aborted) return;
        if (!upper && this.image !== image) {
          // One that is to be turned is shown once it is whole.
          if (image.upright() !== image) return;
          this.#canvas.width = image.width;
          this.#canvas.height = image.height;
          this.image = image;
          this.#update();
        }
        if (this.image === image) image.drawRows(this.#canvas, upper, lower);
      });
      if (signal.aborted) return;
      this.#file = file;
      this.#show(image, 0);
    } catch (error) {
      if (signal.aborted) return;
      this.image = null;
      failure = error;
    }
    this.complete = true;
    this.#update();
    if (failure) {
      tell(this, failure);
      return;
    }
    this.dispatchEvent(new Event("load"));
    if (this.#file?.frames === 1 || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    this.#observer = new IntersectionObserver((entries) => {
      if (entries[entries.length - 1].isIntersecting) this.play();
      else this.pause();
    });
    this.#observer.observe(this);
  }

  #update() {
    const { image } = this;
    const alt = this.getAttribute("alt") ?? "";
    this.#internals.ariaLabel = alt;
    this.#slot.textContent = alt;
    this.#canvas.hidden = !image;
    this.#slot.hidden = Boolean(image) || !this.complete;
    const side = (/** @type {string} */ name) => {
      const value = parseInt(this.getAttribute(name) ?? "", 10);
      return value >= 0 ? value : null;
    };
    const [width, height] = [side("width"), side("height")];
    const sizes = [
      width !== null && `width:${width}px`,
      height !== null && `height:${height}px`,
      image && width === null && height === null && `width:${image.width}px`,
      image && `aspect-ratio:${image.width}/${image.height}`,
    ];
    this.#style.textContent =
      `:host{display:inline-block;${sizes.filter(Boolean).join(";")}}` +
      ":host([hidden]),[hidden]{display:none}" +
      "canvas{display:block;width:100%;height:100%;object-fit:inherit;object-position:inherit}";
  }
}

if (globalThis.customElements && !customElements.get("kqf-img"))
  customElements.define("kqf-img", KqfImg);

/**
 * Show all `<img>` whose address ends in `.kqf`, for pages whose markup cannot be changed.
 *
 * @param {ParentNode} [root]
 * @returns the images that were found, once they are shown or have failed
 */
export async function swapImages(root = document) {
  const images = [...root.querySelectorAll("img")].filter((image) =>
    /\.kqf($|[?#])/i.test(image.src),
  );
  const swap = async (/** @type {HTMLImageElement} */ image) => {
    const address = image.src;
    try {
      const canvas = document.createElement("canvas");
      (await load(address)).image.draw(canvas);
      const blob = await new Promise((done) => canvas.toBlob(done));
      // Meanwhile the page may have chosen another image.
      if (!blob || image.src !== address) return;
      const url = URL.createObjectURL(blob);
      image.addEventListener("load", () => URL.revokeObjectURL(url), { once: true });
      image.dataset.kqfSrc = address;
      image.src = url;
    } catch (error) {
      tell(image, error);
    }
  };
  await Promise.all(images.map(swap));
  return images;
}
