// The browser's end of the handset: turns the microphone into frames of 20 ms at 16 kHz, and such frames into sound.
// Runs on the audio thread; everything is allocated before it starts, but for the frames that are sent away.

const RATE = 16000;
const FRAME = 320; // samples in 20 ms

// Changes the rate by a windowed sinc whose cutoff follows the lower of the two rates. For equal rates it copies.
class Resampler {
  constructor(from, to, maxInput) {
    this.step = from / to;
    this.same = from === to;
    this.capacity = Math.ceil((maxInput * to) / from) + 2;
    if (this.same) return;
    const cutoff = 0.94 * Math.min(1, to / from);
    this.half = Math.ceil(16 / cutoff); // 16 zero crossings on either side
    this.phases = 128;
    // table[phase][tap]: one filter for each position between two input samples, and one more to interpolate to.
    this.table = [];
    for (let phase = 0; phase <= this.phases; phase++) {
      const taps = new Float32Array(2 * this.half);
      let sum = 0;
      for (let tap = 0; tap < taps.length; tap++) {
        const t = tap - this.half + 1 - phase / this.phases;
        const x = t * cutoff * Math.PI;
        const sinc = Math.abs(x) < 1e-9 ? 1 : Math.sin(x) / x;
        const w = t / this.half;
        taps[tap] = Math.abs(w) >= 1 ? 0 : sinc * kaiser(w, 8);
        sum += taps[tap];
      }
      for (let tap = 0; tap < taps.length; tap++) taps[tap] /= sum;
      this.table.push(taps);
    }
    this.history = new Float32Array(2 * this.half + maxInput);
    this.filled = 2 * this.half;
    this.position = 0; // of the next output, in input samples after the start of the window's middle
  }

  // Reads `count` samples of `input`, writes to `output`, returns how many.
  run(input, count, output) {
    if (this.same) {
      for (let i = 0; i < count; i++) output[i] = input[i];
      return count;
    }
    const history = this.history;
    for (let i = 0; i < count; i++) history[this.filled + i] = input[i];
    const available = this.filled + count;
    const width = 2 * this.half;
    let made = 0;
    while (Math.floor(this.position) + width <= available && made < output.length) {
      const start = Math.floor(this.position);
      const place = (this.position - start) * this.phases;
      const phase = Math.floor(place);
      const mix = place - phase;
      const a = this.table[phase];
      const b = this.table[phase + 1];
      let sum = 0;
      for (let tap = 0; tap < width; tap++) sum += history[start + tap] * (a[tap] + mix * (b[tap] - a[tap]));
      output[made++] = sum;
      this.position += this.step;
    }
    const keep = Math.min(Math.floor(this.position), available);
    history.copyWithin(0, keep, available);
    this.filled = available - keep;
    this.position -= keep;
    return made;
  }
}

function kaiser(x, beta) {
  return bessel(beta * Math.sqrt(1 - x * x)) / bessel(beta);
}

function bessel(x) {
  let sum = 1;
  let term = 1;
  for (let k = 1; k < 30; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

class Handset extends AudioWorkletProcessor {
  constructor() {
    super();
    this.down = new Resampler(sampleRate, RATE, 2048);
    this.up = new Resampler(RATE, sampleRate, FRAME);
    this.microphone = new Float32Array(this.down.capacity);
    this.frame = new Int16Array(FRAME);
    this.filled = 0;
    // The ear: a ring of one second at the context's rate.
    this.ring = new Float32Array(sampleRate);
    this.read = 0;
    this.stored = 0;
    this.target = Math.round(sampleRate * 0.06);
    this.smallest = Infinity;
    this.window = 0;
    this.playing = false;
    this.piece = new Float32Array(this.up.capacity);
    this.pcm = new Float32Array(FRAME);
    this.counts = { sent: 0, received: 0, underruns: 0, skipped: 0 };
    this.micPower = 0;
    this.earPower = 0;
    this.measured = 0;
    this.port.onmessage = (event) => this.hear(new Int16Array(event.data));
  }

  // A frame for the ear.
  hear(samples) {
    this.counts.received++;
    for (let at = 0; at < samples.length; at += FRAME) {
      const count = Math.min(FRAME, samples.length - at);
      for (let i = 0; i < count; i++) this.pcm[i] = samples[at + i] / 32768;
      const made = this.up.run(this.pcm, count, this.piece);
      const room = this.ring.length - this.stored;
      for (let i = 0; i < Math.min(made, room); i++) {
        this.ring[(this.read + this.stored + i) % this.ring.length] = this.piece[i];
      }
      this.stored += Math.min(made, room);
    }
    // Never more than 250 ms behind, whatever happened to the page.
    const most = Math.round(sampleRate * 0.25);
    if (this.stored > most) this.skip(this.stored - this.target);
  }

  skip(count) {
    this.read = (this.read + count) % this.ring.length;
    this.stored -= count;
    this.counts.skipped += count;
  }

  process(inputs, outputs) {
    const input = inputs[0]?.[0];
    const output = outputs[0][0];
    if (input) {
      const made = this.down.run(input, input.length, this.microphone);
      for (let i = 0; i < made; i++) {
        const sample = Math.max(-1, Math.min(1, this.microphone[i]));
        this.micPower += sample * sample;
        this.frame[this.filled++] = Math.round(sample * 32767);
        if (this.filled === FRAME) {
          const frame = this.frame.slice().buffer;
          this.port.postMessage(frame, [frame]);
          this.filled = 0;
          this.counts.sent++;
        }
      }
    }
    if (!this.playing && this.stored >= this.target) this.playing = true;
    for (let i = 0; i < output.length; i++) {
      if (this.playing && this.stored > 0) {
        output[i] = this.ring[this.read];
        this.read = (this.read + 1) % this.ring.length;
        this.stored--;
      } else {
        if (this.playing) {
          // Ran dry: wait a little longer the next time, up to 160 ms.
          this.playing = false;
          this.counts.underruns++;
          this.target = Math.min(this.target + Math.round(sampleRate * 0.02), Math.round(sampleRate * 0.16));
        }
        output[i] = 0;
      }
      this.earPower += output[i] * output[i];
    }
    for (let channel = 1; channel < outputs[0].length; channel++) outputs[0][channel].set(output);
    this.settle(output.length);
    return true;
  }

  // Once a second: what was never needed is delay for nothing. And tell the levels twenty times a second.
  settle(count) {
    this.smallest = Math.min(this.smallest, this.stored);
    this.window += count;
    if (this.window >= sampleRate) {
      const spare = Math.round(sampleRate * 0.03);
      if (this.playing && this.smallest > spare * 2) this.skip(Math.min(this.smallest - spare, Math.round(sampleRate * 0.02)));
      this.window = 0;
      this.smallest = Infinity;
    }
    this.measured += count;
    if (this.measured >= sampleRate / 20) {
      const micCount = (this.measured * RATE) / sampleRate;
      this.port.postMessage({
        mic: Math.sqrt(this.micPower / micCount),
        ear: Math.sqrt(this.earPower / this.measured),
        delay: this.stored / sampleRate,
        ...this.counts,
      });
      this.micPower = this.earPower = this.measured = 0;
    }
  }
}

registerProcessor("handset", Handset);
