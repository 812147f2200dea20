// An SVG plot of lines over steps or frames, with a cursor and marks. A click returns its place on the axis.
import { h, s } from "./dom.js";

const LEFT = 46;
const BOTTOM = 18;

function ticks(low, high) {
  const step = 10 ** Math.floor(Math.log10((high - low) / 2 || 1));
  const wide = [1, 2, 5, 10].map((factor) => factor * step).find((size) => (high - low) / size <= 3) || step;
  const first = Math.ceil(low / wide) * wide;
  return Array.from({ length: 5 }, (_, index) => first + index * wide).filter((value) => value <= high + 1e-12);
}

export function short(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6) return `${+(value / 1e6).toPrecision(3)}M`;
  if (size >= 1e4) return `${+(value / 1e3).toPrecision(3)}k`;
  return String(+value.toPrecision(3));
}

// lines: [{ points: [[x, y], ...], colour, kind }]
export function plot({ title, lines, marks = [], width = 360, height = 110, cursor = null, range = null, onpick = null }) {
  const places = lines.flatMap((line) => line.points).filter((point) => Number.isFinite(point[1]));
  const svg = s("svg", { viewBox: `0 0 ${width} ${height}`, class: "plot", role: "img", "aria-label": title });
  const figure = h("figure", { class: "chart" }, h("figcaption", {}, title), svg);
  if (!places.length) return figure;
  const across = places.map((point) => point[0]);
  const [first, last] = [Math.min(...across), Math.max(...across)];
  let [low, high] = range || [Math.min(...places.map((point) => point[1])), Math.max(...places.map((point) => point[1]))];
  if (low === high) [low, high] = [low - 0.5 * Math.abs(low || 1), high + 0.5 * Math.abs(high || 1)];
  const x = (value) => LEFT + ((value - first) / (last - first || 1)) * (width - LEFT - 8);
  const y = (value) => 6 + (1 - (value - low) / (high - low)) * (height - BOTTOM - 8);
  for (const value of ticks(low, high)) {
    svg.append(s("line", { x1: LEFT, x2: width - 8, y1: y(value), y2: y(value), class: "grid" }));
    const text = s("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" });
    text.textContent = short(value);
    svg.append(text);
  }
  for (const [value, anchor] of [[first, "start"], [last, "end"]]) {
    const text = s("text", { x: x(value), y: height - 3, "text-anchor": anchor });
    text.textContent = short(value);
    svg.append(text);
  }
  for (const mark of marks) svg.append(s("line", { x1: x(mark), x2: x(mark), y1: 6, y2: height - BOTTOM, class: "mark" }));
  for (const line of lines) {
    const path = line.points.map(([at, value], index) => (Number.isFinite(value) ? `${index && Number.isFinite(line.points[index - 1][1]) ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}` : "")).join("");
    const drawn = s("path", { d: path, class: "curve" });
    if (line.colour) drawn.setAttribute("stroke", line.colour);
    svg.append(drawn);
  }
  if (cursor !== null) svg.append(s("line", { x1: x(cursor), x2: x(cursor), y1: 2, y2: height - BOTTOM, class: "cursor" }));
  if (onpick) {
    svg.classList.add("pickable");
    svg.addEventListener("click", (event) => {
      const box = svg.getBoundingClientRect();
      const at = ((event.clientX - box.left) / box.width) * width;
      onpick(first + ((at - LEFT) / (width - LEFT - 8)) * (last - first));
    });
  }
  return figure;
}
