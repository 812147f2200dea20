// Edits of the whole picture: pose and background of another sample or photo, size, rotation and mix.
import { say, sayWrong, upload } from "./api.js";
import { fileButton, h } from "./dom.js";

export class Whole {
  // room: state, info; startPicking(what), preview(change, since), commit(change)
  constructor(room) {
    this.room = room;
    const button = (text, what) => h("button", { type: "button", id: what, onclick: () => room.startPicking(what) }, text);
    this.poseButton = button("Pose of another sample…", "pose");
    this.backgroundButton = button("Background of another sample…", "background");
    this.photoButton = fileButton("Pose of a photo… (or drop one here)", "image/*", (file) => this.takePhoto(file), { id: "photo" });
    this.localBox = h("input", { type: "checkbox", id: "local", onchange: () => room.commit({ edits: { ...room.state.edits, local: this.localBox.checked } }) });
    this.localField = h("label", {}, this.localBox, "Moves change less of the picture (local)");
    this.sliders = {
      scale: this.slider("Size", "scale", { min: 0.5, max: 1.5, step: 0.01 }, (value) => `${Math.round(value * 100)} %`),
      rotate: this.slider("Rotation", "rotate", { min: -45, max: 45, step: 1 }, (value) => `${value}°`),
      mix: this.slider("Mix", "mix", { min: 0, max: 1, step: 0.01 }, (value) => `${Math.round(value * 100)} %`),
    };
    this.showSliders(room.state.edits);
    const rows = Object.values(this.sliders).map((slider) => slider.row);
    this.element = h("section", { class: "panel" }, h("h2", {}, "The whole picture"), h("div", { class: "stack" }, this.poseButton, ...this.photoButton, this.backgroundButton), ...rows, this.localField);
  }

  slider(text, key, range, show) {
    const { room } = this;
    const output = h("output", {});
    const changed = () => ({ edits: { ...room.state.edits, [key]: Number(input.value) } });
    const input = h("input", { type: "range", ...range, "aria-label": text, dataset: { slider: key }, oninput: (event) => room.preview(changed(), event.timeStamp), onchange: () => room.commit(changed()) });
    const row = h("div", { class: "slider" }, h("span", {}, text), input, output);
    return { row, input, set: (value) => ((input.value = value), (output.textContent = show(value))) };
  }

  show(edits) {
    const { can } = this.room.info;
    this.backgroundButton.disabled = !can.background;
    for (const button of [this.poseButton, this.photoButton[0], this.sliders.scale.input, this.sliders.rotate.input]) button.disabled = !can.keypoints;
    this.localField.hidden = !can.local;
    this.localBox.checked = edits.local;
    this.showSliders(edits);
  }

  showSliders(edits) {
    for (const [name, slider] of Object.entries(this.sliders)) slider.set(edits[name]);
    const taken = edits.pose_from !== null || edits.photo !== null || edits.looks.length > 0 || edits.background_from !== null;
    this.sliders.mix.input.disabled = !taken;
    this.sliders.mix.row.title = taken ? "How far pose, appearance and background change" : "First take a pose, an appearance or a background";
  }

  async takePhoto(file) {
    const { room } = this;
    const { model } = room.state;
    try {
      say("Predicting the keypoints of the photo…");
      const { photo } = await upload(`/api/edit/photo?model=${encodeURIComponent(model)}&name=${encodeURIComponent(file.name)}`, file);
      if (room.state.model === model) room.commit({ edits: { ...room.state.edits, photo, pose_from: null } });
    } catch (error) {
      sayWrong(error);
    }
  }
}
