// A curve over the steps of a training, in the colours of the theme.

const SVG = "http://www.w3.org/2000/svg";
const MARGIN = { left: 46, right: 12, top: 10, bottom: 22 }; // px, for the scales
const TICKS = 3; // of the vertical scale, more or less
const ROOM = 0.08; // of the values' range, left above and below them

/** @typedef {[step: number, value: number][]} Points by step */

/**
 * @param {SVGSVGElement} svg
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 * @param {string} [text]
 */
function add(svg, name, attributes, text = "") {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.textContent = text;
  svg.append(element);
}

/**
 * Return round values between two.
 *
 * @param {number} least
 * @param {number} most
 */
function findTicks(least, most) {
  const wanted = (most - least) / TICKS;
  const power = 10 ** Math.floor(Math.log10(wanted));
  const step = [1, 2, 5].map((times) => times * power).find((value) => value >= wanted) ?? 10 * power;
  const ticks = [];
  for (let i = Math.ceil(least / step); i * step <= most; i += 1) ticks.push(Number((i * step).toPrecision(6)));
  return ticks;
}

/**
 * @param {SVGSVGElement} svg of any size
 * @param {Points} points
 * @param {string} name of the values
 */
export function drawCurve(svg, points, name) {
  const { clientWidth: width, clientHeight: height } = svg;
  if (!width) return; // not in view
  svg.replaceChildren();
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  if (!points.length) {
    svg.setAttribute("aria-label", `${name}: no value yet`);
    add(svg, "text", { x: width / 2, y: height / 2, "text-anchor": "middle" }, "No value yet");
    return;
  }
  const values = points.map(([, value]) => value);
  const [lastStep, last] = points[points.length - 1];
  svg.setAttribute("aria-label", `${name}: ${values[0]} at first, ${last} now`);
  const room = ROOM * (Math.max(...values) - Math.min(...values)) || 0.1 * Math.abs(last) || 1;
  const [least, most] = [Math.min(...values) - room, Math.max(...values) + room];
  const steps = Math.max(1, lastStep);
  /** @type {(step: number) => number} */
  const x = (step) => MARGIN.left + (step / steps) * (width - MARGIN.left - MARGIN.right);
  const [base, tall] = [height - MARGIN.bottom, height - MARGIN.top - MARGIN.bottom];
  /** @type {(value: number) => number} */
  const y = (value) => base - ((value - least) / (most - least)) * tall;
  for (const value of findTicks(least, most)) {
    add(svg, "path", { class: "line", d: `M${MARGIN.left} ${y(value)}H${width - MARGIN.right}` });
    add(svg, "text", { x: MARGIN.left - 8, y: y(value) + 4, "text-anchor": "end" }, String(value));
  }
  add(svg, "text", { x: MARGIN.left, y: height - 5 }, "step 0");
  add(svg, "text", { x: width - MARGIN.right, y: height - 5, "text-anchor": "end" }, steps.toLocaleString("en"));
  const path = points.map(([step, value]) => `${x(step).toFixed(1)} ${y(value).toFixed(1)}`).join("L");
  add(svg, "path", { class: "curve", d: `M${path}` });
  add(svg, "circle", { r: 3.5, cx: x(lastStep), cy: y(last) });
}
