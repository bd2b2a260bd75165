// The page's elements, with the class that each is known to have.

/**
 * Return the element that a selector names inside `root`.
 *
 * @template {Element} [T=HTMLElement]
 * @param {ParentNode} root
 * @param {string} selector
 * @param {new () => T} [kind] its class; an HTMLElement if left out
 * @returns {T}
 * @throws {Error} if there is none of that class: script and HTML of a widget do not agree
 */
export function find(root, selector, kind) {
  const found = root.querySelector(selector);
  if (!(found instanceof (kind ?? HTMLElement))) throw new Error(`The page has no ${selector}.`);
  return /** @type {T} */ (found);
}

/**
 * Make an element with properties and children.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Partial<HTMLElementTagNameMap[Tag]>} [properties]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function create(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {CanvasRenderingContext2DSettings} [settings]
 * @returns {CanvasRenderingContext2D}
 * @throws {Error} if the browser has no memory left for it
 */
export function getContext(canvas, settings) {
  const context = canvas.getContext("2d", settings);
  if (!context) throw new Error("The browser has no memory left for another picture. Close other tabs of it.");
  return context;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {number} [width]
 * @param {number} [height]
 */
export function copyCanvas(canvas, width = canvas.width, height = canvas.height) {
  const copy = create("canvas", { width, height });
  getContext(copy).drawImage(canvas, 0, 0, width, height);
  return copy;
}

/**
 * Return the element at or around an event's target that a selector names, or null.
 *
 * @param {Event} event
 * @param {string} selector
 * @returns {HTMLElement | null}
 */
export function closest(event, selector) {
  return event.target instanceof Element ? event.target.closest(selector) : null;
}

const TYPING = [
  "textarea", "select", "[contenteditable]:not([contenteditable=false])",
  "input:not([type=range], [type=radio], [type=checkbox], [type=file])",
].join();

/**
 * Whether an event happens where text is typed, and so is meant for that text.
 *
 * @param {Event} event
 */
export function isTyping(event) {
  return Boolean(closest(event, TYPING));
}

/**
 * Run the action that the clicked button inside `root` names by its attribute data-act.
 *
 * @param {HTMLElement} root
 * @param {Record<string, () => void>} actions
 */
export function bindActions(root, actions) {
  root.addEventListener("click", (event) => {
    const name = closest(event, "[data-act]")?.dataset.act;
    if (name) actions[name]?.();
  });
}
