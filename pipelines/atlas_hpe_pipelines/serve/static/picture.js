// The live picture. The page asks for the next one when it has shown the last: whoever is slow gets
// fewer frames, and nothing queues up anywhere.

const RETRY_MS = 1000;

export class LivePicture {
  constructor(canvas, onPicture) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.onPicture = onPicture;
    this.number = 0;
    this.request = null;
  }

  start() {
    if (!this.request) {
      this.request = new AbortController();
      this.watch(this.request.signal);
    }
  }

  pause() {
    this.request?.abort();
    this.request = null;
  }

  async watch(signal) {
    while (!signal.aborted) {
      try {
        await this.next(signal);
      } catch {
        // The events say what is wrong; here it is tried again until the page is left.
        if (!signal.aborted) await new Promise((done) => setTimeout(done, RETRY_MS));
      }
    }
  }

  async next(signal) {
    const answer = await fetch(`picture?after=${this.number}`, { signal, cache: "no-store" });
    if (answer.status === 204) return;
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const bitmap = await createImageBitmap(await answer.blob());
    this.number = Number(answer.headers.get("X-Picture-Number"));
    if (this.canvas.width !== bitmap.width || this.canvas.height !== bitmap.height) {
      this.canvas.width = bitmap.width;
      this.canvas.height = bitmap.height;
    }
    this.context.drawImage(bitmap, 0, 0);
    bitmap.close();
    this.onPicture();
  }
}
