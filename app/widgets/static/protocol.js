// What a widget and the server say to each other: the browser's side of app/widgets/protocol.py.

import { create } from "./dom.js";

/** @import { Legend } from "../../semantics/static/labels.js" */
/** @import { Run, TrainingState } from "../../train/static/train.js" */

/**
 * What Gradio hands to the script of a `gr.HTML`.
 *
 * @typedef {object} Component
 * @property {(event: string) => void} trigger fires one of the widget's events
 * @property {(file: File) => Promise<{ path: string, url: string }>} upload
 * @property {(name: string, callback: () => void) => void} watch calls back after every new value
 * @property {{ value: any }} props what the widget's Python gave it at first, then the answers
 */

/**
 * A file on the server, as Gradio writes it down.
 *
 * @typedef {object} FileData
 * @property {string} path
 * @property {string} url
 * @property {string} orig_name
 * @property {string} [mime_type]
 * @property {{ _type: "gradio.FileData" }} meta
 */

/** @typedef {{ top: number, left: number, scale: number, width: number, height: number }} PhotoWindow */

/**
 * What a widget sends; the fields are explained in app/widgets/protocol.py.
 *
 * @typedef {object} Request
 * @property {boolean} [open]
 * @property {string} [base]
 * @property {string | null} [shown]
 * @property {string | null} [seen]
 * @property {FileData} [file]
 * @property {string} [example]
 * @property {FileData} [mask]
 * @property {Box} [box]
 * @property {FileData} [source]
 * @property {Box} [source_box]
 * @property {number} [label]
 * @property {number[]} [at]
 * @property {boolean} [add]
 * @property {number} [seed]
 * @property {[x: number, y: number][]} [points]
 * @property {boolean[]} [inside]
 * @property {PhotoWindow} [window]
 * @property {string} [against]
 * @property {number} [number]
 * @property {string | null} [run]
 * @property {number | null} [step]
 * @property {string} [problem]
 */

/** @typedef {[left: number, top: number, width: number, height: number]} Box */
/** @typedef {"info" | "good" | "busy" | "warn" | "error"} Level */

/**
 * A picture and its place in photo px.
 *
 * @typedef {{ file: FileData, x: number, y: number, width: number, height: number }} Picture
 */

/**
 * What every answer has. The id is another one each time; request is the number of the Request answered.
 *
 * @typedef {object} Message
 * @property {string} id
 * @property {Picture[]} pictures
 * @property {{ level: Level, text: string }} [notice]
 * @property {number} [request]
 */

/** @typedef {Message & { kind: "notice", lost?: boolean }} NoticeAnswer lost: the server has no photo any more */
/** @typedef {Message & { kind: "progress", share: number, text: string }} ProgressAnswer */
/** @typedef {Message & { kind: "photo", width: number, height: number, alpha: boolean }} PhotoAnswer */
/** @typedef {Message & { kind: "result", result: string, base: string, live: string[] }} ResultAnswer */
/** @typedef {Message & { kind: "variations", base: string, seeds: number[], parts: number }} VariationsAnswer */
/** @typedef {Message & { kind: "priors", seeds: number[], columns: string[] }} PriorsAnswer */
/** @typedef {Message & { kind: "mask", of?: string, add?: boolean, touched?: boolean }} MaskAnswer */
/** @typedef {Message & { kind: "map", legend: Legend, hole: boolean }} MapAnswer */
/** @typedef {Message & { kind: "view" }} ViewAnswer */
/** @typedef {Message & { kind: "run", run?: Run } & TrainingState} RunAnswer */
/** @typedef {Message & { kind: "download", file: FileData, name: string }} DownloadAnswer */
/**
 * @typedef {NoticeAnswer | ProgressAnswer | PhotoAnswer | ResultAnswer | VariationsAnswer | PriorsAnswer
 *   | MaskAnswer | MapAnswer | ViewAnswer | RunAnswer | DownloadAnswer} Answer
 */

/**
 * Who asks, and is told the answers: the methods are those that its answers need.
 *
 * @typedef {object} Asker
 * @property {boolean} [busy] an answer is awaited
 * @property {(busy: boolean, text?: string) => void} setBusy
 * @property {(level: Level, text: string) => void} notice
 * @property {(share: number, text?: string) => void} [progress]
 * @property {() => void} [showLost]
 * @property {(answer: PhotoAnswer, bitmaps: ImageBitmap[]) => void} [showPhoto]
 * @property {(answer: ResultAnswer, bitmaps: ImageBitmap[]) => void} [showResult]
 * @property {(answer: VariationsAnswer, bitmaps: ImageBitmap[]) => void} [showVariations]
 * @property {(answer: PriorsAnswer, bitmaps: ImageBitmap[]) => void} [showPriors]
 * @property {(answer: MaskAnswer, bitmaps: ImageBitmap[]) => void} [showMask]
 * @property {(answer: MapAnswer, bitmaps: ImageBitmap[]) => void} [showMap]
 * @property {(answer: ViewAnswer, bitmaps: ImageBitmap[]) => void} [showView]
 * @property {(answer: RunAnswer) => void} [showRun]
 */

/**
 * Return what Gradio put on the page about itself.
 *
 * @returns {{ app_id: string, root: string, username?: string | null }} app_id: another one after every start
 */
export function getConfig() {
  return /** @type {any} */ (window).gradio_config;
}

/** The id of the photo as it was opened; results are "1", "2", ... */
export const ORIGINAL = "original";

/**
 * One side of a conversation with the server. Each kind has its own `request(busyText, part)`, which shows that
 * an answer is awaited and returns the Request that an event sends.
 *
 * @template {Asker} [A=Asker]
 */
export class Conversation {
  /**
   * @param {A} asker
   * @param {Component} component
   */
  constructor(asker, component) {
    this.asker = asker;
    this.component = component;
    this.lastId = "";
    component.watch("value", () => this.receive(component.props.value).catch(() => this.fail()));
  }

  /** @param {Partial<Answer> | null} value of the component: at first its options, then the answers */
  async receive(value) {
    if (!value?.kind || value.id === this.lastId) return; // the last answer of a stream arrives twice
    const answer = /** @type {Answer} */ (value);
    this.lastId = answer.id;
    const { asker } = this;
    if (answer.kind === "progress") {
      if (asker.busy) asker.progress?.(answer.share, answer.text);
      return;
    }
    // A run's picture is shown by an <img>, which keeps it while its address stays the same.
    const drawn = answer.kind === "run" ? [] : answer.pictures;
    const bitmaps = await Promise.all(drawn.map((picture) => fetchBitmap(picture.file)));
    asker.setBusy(false);
    this.show(answer, bitmaps);
    if (answer.notice) asker.notice(answer.notice.level, answer.notice.text);
  }

  /**
   * @param {Answer} answer
   * @param {ImageBitmap[]} bitmaps
   */
  show(answer, bitmaps) {
    const { asker } = this;
    switch (answer.kind) {
      case "notice": return answer.lost ? asker.showLost?.() : undefined;
      case "photo": return asker.showPhoto?.(answer, bitmaps);
      case "result": return asker.showResult?.(answer, bitmaps);
      case "variations": return asker.showVariations?.(answer, bitmaps);
      case "priors": return asker.showPriors?.(answer, bitmaps);
      case "mask": return asker.showMask?.(answer, bitmaps);
      case "map": return asker.showMap?.(answer, bitmaps);
      case "view": return asker.showView?.(answer, bitmaps);
      case "run": return asker.showRun?.(answer);
      case "download": return download(answer);
    }
  }

  /** The server did not answer, or not in a way that can be shown. */
  fail() {
    this.asker.setBusy(false);
    this.asker.notice("error", "The server did not answer as expected. Try again; if it goes on, restart the app.");
  }
}

/**
 * @param {FileData} file
 */
async function fetchBitmap(file) {
  const response = await fetch(file.url);
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  return createImageBitmap(await response.blob());
}

/**
 * @param {DownloadAnswer} answer
 */
function download({ file, name }) {
  const link = create("a", { href: file.url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
}
