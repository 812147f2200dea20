// A picture that can be zoomed, with keypoints that can be chosen, dragged and reached by Tab.
// Coordinates are pixels of the picture, integers at pixel centres: the picture goes from -0.5 to width - 0.5.
import { h, s } from "./dom.js";

const RADIUS = 7; // radius of a keypoint in screen pixels
const STILL = 3; // a press that moves fewer pixels is a click

export class PointView {
  // listeners: pick(id, event, [x, y]), drag(id, x, y, event), dragged(id), hover(id), key(id, event), drop(id, event), area(frame, event): two corners [x, y]
  constructor(listeners = {}, { zoomable = false, label = "Picture with keypoints" } = {}) {
    this.listeners = listeners;
    this.zoomable = zoomable;
    this.canvas = h("canvas", { class: "picture", "aria-hidden": "true" });
    this.lines = s("g");
    this.marks = s("g");
    this.marquee = s("rect", { class: "marquee", visibility: "hidden" });
    this.svg = s("svg", { role: "group", "aria-label": label, preserveAspectRatio: "none" }, this.lines, this.marks, this.marquee);
    this.element = h("div", { class: "stage" }, this.canvas, this.svg);
    this.nodes = new Map();
    this.points = [];
    this.size = [1, 1];
    this.view = { x: -0.5, y: -0.5, zoom: 1 };
    new ResizeObserver(() => this.layout()).observe(this.element);
    this.listen();
  }

  resize(width, height) {
    if (this.size[0] !== width || this.size[1] !== height) {
      this.size = [width, height];
      this.element.style.aspectRatio = `${width} / ${height}`;
      this.element.style.setProperty("--ratio", width / height);
      this.view = { x: -0.5, y: -0.5, zoom: 1 };
    }
    this.layout();
  }

  paint(picture) {
    if (this.canvas.width !== picture.width || this.canvas.height !== picture.height) {
      this.canvas.width = picture.width;
      this.canvas.height = picture.height;
    }
    const context = this.canvas.getContext("2d");
    if (picture instanceof ImageData) context.putImageData(picture, 0, 0);
    else context.drawImage(picture, 0, 0, picture.width, picture.height);
  }

  // Removes the picture and its keypoints.
  clear() {
    this.canvas.getContext("2d").clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.setPoints([]);
    this.setLines([]);
  }

  get scale() {
    return (this.element.clientWidth / this.size[0]) * this.view.zoom;
  }

  layout() {
    const { x, y, zoom } = this.view;
    const [width, height] = this.size;
    this.svg.setAttribute("viewBox", `${x} ${y} ${width / zoom} ${height / zoom}`);
    const style = this.canvas.style;
    style.width = `${zoom * 100}%`;
    style.height = `${zoom * 100}%`;
    style.left = `${((-0.5 - x) / width) * zoom * 100}%`;
    style.top = `${((-0.5 - y) / height) * zoom * 100}%`;
    this.placePoints();
    this.placeLines();
  }

  at(event) {
    const box = this.svg.getBoundingClientRect();
    const { x, y, zoom } = this.view;
    return [x + ((event.clientX - box.left) / box.width) * (this.size[0] / zoom), y + ((event.clientY - box.top) / box.height) * (this.size[1] / zoom)];
  }

  clamp([x, y]) {
    return [Math.min(Math.max(x, -0.5), this.size[0] - 0.5), Math.min(Math.max(y, -0.5), this.size[1] - 0.5)];
  }

  // points: { id, x, y, colour, text, title, chosen, lit, faint, hollow }
  setPoints(points) {
    this.points = points;
    const known = new Set(points.map((point) => point.id));
    for (const [id, node] of this.nodes) {
      if (!known.has(id)) {
        node.remove();
        this.nodes.delete(id);
      }
    }
    for (const point of points) if (!this.nodes.has(point.id)) this.addNode(point.id);
    this.placePoints();
  }

  addNode(id) {
    const group = s("g", { class: "point", tabindex: "0", role: "button" }, s("circle", { class: "reach" }), s("circle", { class: "halo" }), s("circle", { class: "ring" }), s("circle", { class: "dot" }), s("text"));
    group.dataset.id = id;
    this.nodes.set(id, group);
    this.marks.append(group);
  }

  placePoints() {
    const unit = 1 / (this.scale || 1);
    const middle = this.points.reduce((sum, point) => sum + point.x, 0) / this.points.length;
    for (const point of this.points) {
      const node = this.nodes.get(point.id);
      const looks = JSON.stringify([unit, this.view.x, point.x < middle, point]);
      if (node.looks === looks) continue; // unchanged: a drag changes only some keypoints
      node.looks = looks;
      const [reach, halo, ring, dot, text] = node.children;
      for (const circle of [reach, halo, ring, dot]) {
        circle.setAttribute("cx", point.x);
        circle.setAttribute("cy", point.y);
      }
      const radius = RADIUS * (point.small ? 0.6 : 1);
      reach.setAttribute("r", 14 * unit);
      halo.setAttribute("r", (radius + 5) * unit);
      ring.setAttribute("r", (radius + 1.5) * unit);
      dot.setAttribute("r", radius * unit);
      halo.setAttribute("stroke-width", 3 * unit);
      ring.setAttribute("stroke-width", 1.5 * unit);
      dot.setAttribute("fill", point.hollow ? "none" : point.colour);
      dot.setAttribute("stroke", point.colour);
      dot.setAttribute("stroke-width", (point.hollow ? 2.5 : 0) * unit);
      text.textContent = point.text || "";
      const beside = (radius + (point.chosen ? 9 : 5)) * unit;
      const long = beside + text.textContent.length * (point.small ? 5.4 : 7) * unit;
      const fits = [point.x - long > this.view.x, point.x + long < this.view.x + this.size[0] / this.view.zoom];
      const left = fits[0] && (!fits[1] || point.x < middle);
      text.setAttribute("x", left ? point.x - beside : point.x + beside);
      text.setAttribute("text-anchor", left ? "end" : "start");
      text.setAttribute("y", point.y + 4.5 * unit);
      text.setAttribute("font-size", (point.small ? 11.5 : 13) * unit);
      text.setAttribute("stroke-width", 3.5 * unit);
      node.classList.toggle("chosen", Boolean(point.chosen));
      node.classList.toggle("lit", Boolean(point.lit));
      node.classList.toggle("faint", Boolean(point.faint));
      node.setAttribute("aria-label", point.title || String(point.id));
      node.setAttribute("aria-pressed", String(Boolean(point.chosen)));
    }
  }

  // lines: { path: [[x, y], ...], kind, colour }
  setLines(lines) {
    this.drawn = lines;
    this.placeLines();
  }

  placeLines() {
    const unit = 1 / (this.scale || 1);
    const width = { link: 2, pair: 2, trail: 2, was: 1.5 };
    this.lines.replaceChildren(
      ...(this.drawn || []).flatMap((line) => {
        const points = line.path.map((place) => place.join(",")).join(" ");
        const dash = line.kind === "pair" || line.kind === "was" ? `${5 * unit} ${4 * unit}` : "none";
        const common = { points, fill: "none", "stroke-dasharray": dash };
        const edge = s("polyline", { ...common, class: "edge", "stroke-width": (width[line.kind] + 2) * unit });
        const own = s("polyline", { ...common, class: line.kind, "stroke-width": width[line.kind] * unit });
        if (line.colour) own.setAttribute("stroke", line.colour);
        return [edge, own];
      }),
    );
  }

  focus(id) {
    this.nodes.get(id)?.focus({ preventScroll: true });
  }

  zoomBy(factor, middle = null) {
    const zoom = Math.min(Math.max(this.view.zoom * factor, 1), 20);
    const [x, y] = middle || [this.view.x + this.size[0] / this.view.zoom / 2, this.view.y + this.size[1] / this.view.zoom / 2];
    const share = this.view.zoom / zoom;
    this.panTo(x - (x - this.view.x) * share, y - (y - this.view.y) * share, zoom);
  }

  panTo(x, y, zoom = this.view.zoom) {
    const [width, height] = this.size;
    const limit = (value, whole) => Math.min(Math.max(value, -0.5), whole - whole / zoom - 0.5);
    this.view = { x: limit(x, width), y: limit(y, height), zoom };
    this.layout();
  }

  whole() {
    this.panTo(-0.5, -0.5, 1);
  }

  // If keypoints overlap, returns the one whose centre is nearest to the pointer.
  idOf(event) {
    const id = event.target.closest?.(".point")?.dataset.id ?? null;
    if (id === null || !(event instanceof MouseEvent)) return id;
    const [x, y] = this.at(event);
    const far = (point) => Math.hypot(point.x - x, point.y - y);
    return this.points.reduce((best, point) => (far(point) < far(best) ? point : best)).id;
  }

  hover(id, tell) {
    if (id === this.hovered) return;
    this.hovered = id;
    tell("hover", id);
  }

  listen() {
    const tell = (name, ...values) => this.listeners[name]?.(...values);
    this.svg.addEventListener("pointerdown", (event) => event.button === 0 && this.press(event, tell));
    this.svg.addEventListener("pointermove", (event) => event.buttons || this.hover(this.idOf(event), tell));
    this.svg.addEventListener("pointerleave", () => this.hover(null, tell));
    this.marks.addEventListener("focusin", (event) => this.hover(this.idOf(event), tell));
    this.marks.addEventListener("focusout", () => this.hover(null, tell));
    this.marks.addEventListener("keydown", (event) => tell("key", this.idOf(event), event));
    if (this.listeners.drop) this.listenDrop(tell);
    if (!this.zoomable) return;
    this.element.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        this.zoomBy(Math.exp(-event.deltaY * 0.002), this.at(event));
      },
      { passive: false },
    );
    this.svg.addEventListener("dblclick", () => this.whole());
  }

  listenDrop(tell) {
    const mark = (event) => {
      event.preventDefault();
      const id = this.idOf(event);
      for (const [other, node] of this.nodes) node.classList.toggle("target", other === id);
      this.element.classList.toggle("target", id === null);
    };
    const clear = () => {
      for (const node of this.nodes.values()) node.classList.remove("target");
      this.element.classList.remove("target");
    };
    this.element.addEventListener("dragover", mark);
    this.element.addEventListener("dragleave", clear);
    this.element.addEventListener("drop", (event) => {
      event.preventDefault();
      clear();
      tell("drop", this.idOf(event), event);
    });
  }

  press(event, tell) {
    const id = this.idOf(event);
    const from = [event.clientX, event.clientY];
    const began = this.at(event);
    const view = { ...this.view };
    let far = false;
    const point = id === null ? null : this.points.find((each) => each.id === id);
    const offset = point ? [point.x - began[0], point.y - began[1]] : [0, 0];
    if (point && !this.listeners.drag) far = false;
    this.svg.setPointerCapture(event.pointerId);
    const move = (moved) => {
      if (!far && Math.hypot(moved.clientX - from[0], moved.clientY - from[1]) < STILL) return;
      far = true;
      const now = this.at(moved);
      if (point) tell("drag", id, ...this.clamp([now[0] + offset[0], now[1] + offset[1]]), moved);
      else if (this.zoomable && view.zoom > 1) {
        const box = this.svg.getBoundingClientRect();
        const step = this.size[0] / view.zoom / box.width;
        this.panTo(view.x - (moved.clientX - from[0]) * step, view.y - (moved.clientY - from[1]) * step);
      } else if (this.listeners.area) this.showArea(began, now);
    };
    const up = (done) => {
      this.svg.removeEventListener("pointermove", move);
      this.svg.removeEventListener("pointerup", up);
      this.svg.removeEventListener("pointercancel", up);
      this.marquee.setAttribute("visibility", "hidden");
      if (!far) tell("pick", id, done, this.at(done));
      else if (point) tell("dragged", id);
      else if (this.listeners.area) tell("area", [began, this.at(done)], done);
    };
    this.svg.addEventListener("pointermove", move);
    this.svg.addEventListener("pointerup", up);
    this.svg.addEventListener("pointercancel", up);
  }

  showArea([left, top], [right, bottom]) {
    const given = { x: Math.min(left, right), y: Math.min(top, bottom), width: Math.abs(right - left), height: Math.abs(bottom - top) };
    for (const [name, value] of Object.entries(given)) this.marquee.setAttribute(name, value);
    this.marquee.setAttribute("stroke-width", 1.5 / this.scale);
    this.marquee.setAttribute("visibility", "visible");
  }
}
