// Requests pictures one at a time. Of the requests made meanwhile, only the newest is sent.
import { draw, sayWrong } from "./api.js";

let working = 0; // number of drawers that wait for a picture

function count(change) {
  working += change;
  document.body.dataset.drawing = working ? "yes" : "no";
}

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
    count(1);
    while (this.wanted) {
      const wanted = this.wanted;
      this.wanted = null;
      try {
        const result = await draw(wanted.request);
        this.show(result, wanted, this.wanted === null);
        if (wanted.since) this.note(wanted.since);
      } catch (error) {
        sayWrong(error);
        wanted.refused?.(error);
      }
    }
    this.busy = false;
    count(-1);
  }

  // The picture becomes visible with the next frame of the screen.
  note(since) {
    requestAnimationFrame(() => {
      this.latencies.push(performance.now() - since);
      if (this.latencies.length > 1000) this.latencies.shift();
    });
  }
}

// The mean difference of two pictures, in grey levels, within a share of the longer side from a place.
export function changeAround(after, before, [x, y], share = 0.15) {
  const { width, height } = after;
  const reach = share * Math.max(width, height);
  let [sum, count] = [0, 0];
  for (let row = Math.max(0, Math.ceil(y - reach)); row <= Math.min(height - 1, y + reach); row += 1) {
    for (let column = Math.max(0, Math.ceil(x - reach)); column <= Math.min(width - 1, x + reach); column += 1) {
      if (Math.hypot(column - x, row - y) > reach) continue;
      const at = 4 * (row * width + column);
      for (let channel = at; channel < at + 3; channel += 1) sum += Math.abs(after.data[channel] - before.data[channel]);
      count += 3;
    }
  }
  return count ? sum / count : 0;
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
