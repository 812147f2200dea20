// Requests pictures one at a time. Of the requests made meanwhile, only the newest is sent.
import { draw, sayWrong } from "./api.js";

export class Drawer {
  // show(result, wanted) paints a picture
  constructor(show) {
    this.show = show;
    this.wanted = null;
    this.busy = false;
    this.latencies = []; // milliseconds from a pointer event to its picture, newest last
  }

  ask(request, extra = {}) {
    this.wanted = { request, ...extra };
    if (!this.busy) this.work();
  }

  async work() {
    this.busy = true;
    document.body.dataset.drawing = "yes";
    while (this.wanted) {
      const wanted = this.wanted;
      this.wanted = null;
      try {
        const result = await draw(wanted.request);
        this.show(result, wanted, this.wanted === null);
        if (wanted.since) this.note(wanted.since);
      } catch (error) {
        sayWrong(error);
        wanted.refused?.();
      }
    }
    this.busy = false;
    document.body.dataset.drawing = "no";
  }

  // The picture becomes visible with the next frame of the screen.
  note(since) {
    requestAnimationFrame(() => {
      this.latencies.push(performance.now() - since);
      if (this.latencies.length > 1000) this.latencies.shift();
    });
  }
}

// The difference of two pictures, averaged over channels. White stands for the largest difference, and for at least 6 grey levels.
export function difference(after, before) {
  const picture = new ImageData(after.width, after.height);
  const apart = new Float32Array(after.width * after.height);
  let most = 6;
  let sum = 0;
  for (let place = 0; place < apart.length; place += 1) {
    const at = 4 * place;
    apart[place] = (Math.abs(after.data[at] - before.data[at]) + Math.abs(after.data[at + 1] - before.data[at + 1]) + Math.abs(after.data[at + 2] - before.data[at + 2])) / 3;
    most = Math.max(most, apart[place]);
    sum += apart[place];
  }
  for (let place = 0; place < apart.length; place += 1) {
    const level = (apart[place] * 255) / most;
    picture.data.set([level, level, level, 255], 4 * place);
  }
  return { picture, mean: sum / apart.length };
}
